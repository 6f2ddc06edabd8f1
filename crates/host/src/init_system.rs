//! The init system, through its own commands: systemd, OpenRC, or none.

use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rinit_plan::LogicalPath;

use crate::{Host, HostError, Invocation, Output, Result, find_executable, run, run_to_success};

/// What starts the kubelet on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InitSystem {
    /// systemd, through `systemctl`.
    Systemd,
    /// OpenRC, through `rc-service`.
    OpenRc,
    /// Neither: units are the user's business.
    None,
}

/// What the init system knows of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnitState {
    /// Whether there is such a unit.
    pub exists: bool,
    /// Whether it starts at boot.
    pub enabled: bool,
    /// `active`, `inactive`, `activating`, `deactivating`, `failed`.
    pub active: String,
    /// systemd's finer state, such as `running` or `auto-restart`.
    pub sub: String,
    /// How often systemd started it again by itself.
    pub restarts: u32,
    /// When its process last started.
    pub started: Option<Timestamp>,
    /// How its last run ended, such as `success` or `exit-code`.
    pub result: String,
    /// The exit status of its last process.
    pub exit_status: i32,
}

impl UnitState {
    /// Whether it runs now.
    pub fn is_active(&self) -> bool {
        self.active == "active"
    }

    /// Whether it runs and its process began at that time or later.
    pub fn runs_since(&self, time: Timestamp) -> bool {
        self.is_active() && self.started.is_some_and(|started| started >= time)
    }
}

/// How long a unit may take to start or stop.
const ACT_LIMIT: Duration = Duration::from_secs(100);

impl InitSystem {
    /// Looks for the init system of the running machine.
    pub async fn detect() -> Self {
        let has_systemctl = find_executable("systemctl").is_some();
        // This folder is how systemd tells that it is the init system (sd_booted).
        if has_systemctl && Path::new("/run/systemd/system").is_dir() {
            return Self::Systemd;
        }
        if find_executable("rc-service").is_some() {
            return Self::OpenRc;
        }
        // In a container, something else may answer to the name systemctl.
        if has_systemctl {
            let answer = run(&Invocation::new("systemctl", &["is-system-running"])).await;
            if answer.is_ok_and(|output| matches!(output.stdout.trim(), "running" | "degraded")) {
                return Self::Systemd;
            }
        }
        Self::None
    }

    /// Makes changed unit files count.
    pub async fn reload(self) -> Result<()> {
        match self {
            Self::Systemd => act("systemctl", &["daemon-reload"]).await,
            Self::OpenRc | Self::None => Ok(()),
        }
    }

    /// Starts a unit. Without an init system this does nothing; callers ask [`InitSystem::state`]
    /// first and say so.
    pub async fn start(self, unit: &str) -> Result<()> {
        self.tell(unit, "start").await
    }

    /// Stops a unit.
    pub async fn stop(self, unit: &str) -> Result<()> {
        self.tell(unit, "stop").await
    }

    /// Stops a unit if it runs, then starts it.
    pub async fn restart(self, unit: &str) -> Result<()> {
        self.tell(unit, "restart").await
    }

    async fn tell(self, unit: &str, verb: &str) -> Result<()> {
        match self {
            Self::Systemd => {
                // A unit that failed often within a short time is not started again otherwise.
                if verb != "stop" {
                    let _ = run(&Invocation::new("systemctl", &["reset-failed", unit])).await;
                }
                act("systemctl", &[verb, unit]).await
            }
            Self::OpenRc => act("rc-service", &[unit, verb]).await,
            Self::None => Ok(()),
        }
    }

    /// Whether a unit runs.
    pub async fn is_active(self, unit: &str) -> Result<bool> {
        Ok(self.state(unit).await?.is_active())
    }

    /// Whether a unit exists and starts at boot.
    pub async fn is_enabled(self, unit: &str) -> Result<bool> {
        Ok(self.state(unit).await?.enabled)
    }

    /// What is known of a unit.
    pub async fn state(self, unit: &str) -> Result<UnitState> {
        match self {
            Self::Systemd => systemd_state(unit).await,
            Self::OpenRc => openrc_state(unit).await,
            Self::None => Ok(UnitState::default()),
        }
    }

    /// The last lines of a unit's log, oldest first; empty where there is no journal.
    pub async fn journal_tail(self, unit: &str, lines: u32) -> Result<String> {
        match self {
            Self::Systemd => {
                let count = lines.to_string();
                let arguments = [
                    "--no-pager",
                    "--output=cat",
                    "--lines",
                    &count,
                    "--unit",
                    unit,
                ];
                Ok(run(&Invocation::new("journalctl", &arguments))
                    .await?
                    .stdout)
            }
            Self::OpenRc => {
                let mut text = String::new();
                for file in [
                    format!("/var/log/{unit}/{unit}.log"),
                    format!("/var/log/{unit}.log"),
                    format!("/var/log/{unit}.err"),
                ] {
                    if let Some(bytes) = crate::files::read_end(Path::new(&file), 64 << 10)? {
                        text.push_str(&String::from_utf8_lossy(&bytes));
                    }
                }
                let skipped = text.lines().count().saturating_sub(lines as usize);
                Ok(text
                    .lines()
                    .skip(skipped)
                    .fold(String::new(), |kept, line| kept + line + "\n"))
            }
            Self::None => Ok(String::new()),
        }
    }
}

impl Host {
    /// When the newest of these files was last written; none if none of them exists.
    pub fn newest_change(&self, files: &[LogicalPath]) -> Result<Option<Timestamp>> {
        let mut newest = None;
        for file in files {
            if let Some(info) = self.info(file)? {
                newest = newest.max(Some(info.modified));
            }
        }
        Ok(newest)
    }

    /// Whether a unit runs and was started after the newest of these files was written.
    pub async fn unit_started_after(
        &self,
        init_system: InitSystem,
        unit: &str,
        files: &[LogicalPath],
    ) -> Result<bool> {
        let newest = self.newest_change(files)?.unwrap_or(Timestamp::UNIX_EPOCH);
        Ok(init_system.state(unit).await?.runs_since(newest))
    }
}

async fn act(program: &str, arguments: &[&str]) -> Result<()> {
    run_to_success(&Invocation::new(program, arguments).within(ACT_LIMIT)).await?;
    Ok(())
}

const PROPERTIES: &str = "--property=LoadState,UnitFileState,ActiveState,SubState,NRestarts,\
                          ExecMainStartTimestamp,ExecMainStartTimestampMonotonic,Result,\
                          ExecMainStatus";

async fn systemd_state(unit: &str) -> Result<UnitState> {
    let name = format!("{unit}.service");
    let precise = Invocation::new(
        "systemctl",
        &["show", "--timestamp=us+utc", PROPERTIES, &name],
    );
    let output = run(&precise).await?;
    if output.success() {
        return Ok(parse_systemd(&output.stdout, None));
    }
    // systemd before 248 does not know that option; its own texts are precise to the second, so
    // the time since boot is used.
    let output =
        run_to_success(&Invocation::new("systemctl", &["show", PROPERTIES, &name])).await?;
    let booted = crate::files::read_file(Path::new("/proc/uptime"))?
        .and_then(|bytes| boot_time(&String::from_utf8_lossy(&bytes), crate::now()));
    Ok(parse_systemd(&output.stdout, booted))
}

/// Reads the answer of `systemctl show`. `booted` is the time of boot where the start is to be
/// computed from the time since boot.
fn parse_systemd(text: &str, booted: Option<Timestamp>) -> UnitState {
    let value = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
            .unwrap_or_default()
    };
    UnitState {
        exists: value("LoadState") == "loaded",
        enabled: matches!(
            value("UnitFileState"),
            "enabled" | "enabled-runtime" | "static" | "alias" | "linked" | "generated"
        ),
        active: value("ActiveState").to_owned(),
        sub: value("SubState").to_owned(),
        restarts: value("NRestarts").parse().unwrap_or_default(),
        started: match booted {
            None => parse_systemd_time(value("ExecMainStartTimestamp")),
            Some(booted) => value("ExecMainStartTimestampMonotonic")
                .parse()
                .ok()
                .filter(|micros| *micros > 0)
                .and_then(|micros| booted.checked_add(SignedDuration::from_micros(micros)).ok()),
        },
        result: value("Result").to_owned(),
        exit_status: value("ExecMainStatus").parse().unwrap_or_default(),
    }
}

/// Reads a time such as `Sun 2026-11-22 01:23:45.123456 UTC`.
fn parse_systemd_time(text: &str) -> Option<Timestamp> {
    let mut words = text.split_whitespace().skip(1);
    let (date, time, zone) = (words.next()?, words.next()?, words.next()?);
    (zone == "UTC")
        .then(|| format!("{date}T{time}Z").parse().ok())
        .flatten()
}

/// When the machine was booted, from `/proc/uptime` (seconds since boot, then seconds of idleness).
fn boot_time(uptime: &str, now: Timestamp) -> Option<Timestamp> {
    let seconds: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    now.checked_sub(SignedDuration::try_from_secs_f64(seconds).ok()?)
        .ok()
}

async fn openrc_state(unit: &str) -> Result<UnitState> {
    let exists = run(&Invocation::new("rc-service", &["--exists", unit])).await?;
    if !exists.success() {
        return Ok(UnitState::default());
    }
    let Output { code, stdout, .. } =
        run(&Invocation::new("rc-service", &[unit, "status"])).await?;
    let levels = run(&Invocation::new("rc-update", &["show", "default"])).await?;
    // OpenRC keeps a link per started service; the link's own age is the service's.
    let started = Path::new("/run/openrc/started")
        .join(unit)
        .symlink_metadata()
        .and_then(|data| data.modified())
        .ok()
        .and_then(|time| Timestamp::try_from(time).ok());
    let active = if code == Some(0) {
        "active"
    } else {
        "inactive"
    };
    let crashed = stdout.contains("crashed");
    Ok(UnitState {
        exists: true,
        enabled: levels
            .stdout
            .lines()
            .any(|line| line.split('|').next().map(str::trim) == Some(unit)),
        active: if crashed { "failed" } else { active }.to_owned(),
        started,
        ..UnitState::default()
    })
}

impl HostError {
    /// Whether the init system refused because there is no such unit.
    pub fn is_unknown_unit(&self) -> bool {
        // systemctl ends with 5 where a unit is not loaded (LSB: "program is not installed").
        matches!(self, Self::Failed { code: Some(5), .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_running_unit_is_read() {
        let state = parse_systemd(
            "Result=success\nNRestarts=2\nExecMainStartTimestamp=Sun 2026-11-22 01:23:45.500000 UTC\n\
             ExecMainStartTimestampMonotonic=1500000\nExecMainStatus=0\nLoadState=loaded\n\
             ActiveState=active\nSubState=running\nUnitFileState=enabled\n",
            None,
        );
        assert_eq!(
            state,
            UnitState {
                exists: true,
                enabled: true,
                active: "active".into(),
                sub: "running".into(),
                restarts: 2,
                started: Some(time("2026-11-22T01:23:45.5Z")),
                result: "success".into(),
                exit_status: 0,
            }
        );
        assert!(state.runs_since(time("2026-11-22T01:23:45.5Z")));
        assert!(!state.runs_since(time("2026-11-22T01:23:45.6Z")));
    }

    #[test]
    fn a_unit_that_never_ran_has_no_start() {
        let text = "Result=success\nNRestarts=0\nExecMainStartTimestamp=\n\
                    ExecMainStartTimestampMonotonic=0\nExecMainStatus=0\nLoadState=not-found\n\
                    ActiveState=inactive\nSubState=dead\nUnitFileState=\n";
        let state = parse_systemd(text, None);
        assert!(!state.exists && !state.enabled && !state.is_active());
        assert_eq!(state.started, None);
        let booted = Some(time("2026-11-22T01:00:00Z"));
        assert_eq!(parse_systemd(text, booted).started, None);
        assert!(!state.runs_since(Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn an_old_systemd_is_read_by_the_time_since_boot() {
        let now = time("2026-11-22T01:00:10Z");
        let booted = boot_time("10.00 35.12\n", now);
        assert_eq!(booted, Some(time("2026-11-22T01:00:00Z")));
        let state = parse_systemd(
            "ActiveState=active\nExecMainStartTimestampMonotonic=2500000\n",
            booted,
        );
        assert_eq!(state.started, Some(time("2026-11-22T01:00:02.5Z")));
    }

    #[test]
    fn a_local_time_is_not_taken_for_utc() {
        assert_eq!(parse_systemd_time("Sun 2026-11-22 01:23:45 CET"), None);
        assert_eq!(parse_systemd_time("n/a"), None);
    }
}
