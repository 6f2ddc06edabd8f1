//! Bringing back what uses renewed certificates: the kubelet, then one static pod after another.
//!
//! A static pod ends when its manifest leaves the folder of manifests, and starts when it is back.
//! While it is away the manifest lies in a folder of its own, from which this run, or the next one
//! if this is killed, puts it back. A pod that does not come back gets its old certificates again.

mod pod;

pub(super) use self::pod::pods_that_use;

use std::time::{Duration, Instant};

use rinit_apply::Apply;
use rinit_diag::{ExitCode, Hint as _, Problem};
use rinit_facts::Facts;
use rinit_host::{Access, Host, HostError, InitSystem, Runtime, Trust, probe};
use rinit_plan::component::{API_SERVER, ETCD};
use rinit_plan::{Action, FileMode, Gate, LogicalPath, WaitSpec, WaitTarget};
use rinit_workflow::{Executor as _, Phase};

use self::pod::{Known, PROBE_LIMIT, Pod, Stage, pod_aside};
use super::actions;
use super::write::{Backup, keeping};
use crate::commands::interrupts::Interrupts;
use crate::printer;

/// How long a pod may take to end: the kubelet looks every 20 s, and grants 30 s.
const END_LIMIT: Duration = Duration::from_mins(1);
/// How long a kubelet that was just restarted is left alone. It ends no pod whose manifest goes away
/// before it has heard from the API server, which nothing tells, and does not come back to it (seen
/// with 1.37.1). It takes a second on a quiet machine.
const SETTLE: Duration = Duration::from_secs(5);
/// How often a manifest is taken away: once more where [`SETTLE`] was too short.
const TRIES: u32 = 2;
/// How long the manifest is back between two tries, so that the kubelet knows the pod.
const BETWEEN: Duration = Duration::from_secs(20);
/// How long the kubelet may take to notice that a manifest is away.
const NOTICE: Duration = Duration::from_secs(1);
/// How long the sandbox of a pod without a running container is waited for. A kubelet that hears from
/// the API server ends it at once; one that does not never does, and starts the pod all the same.
const SANDBOX_LIMIT: Duration = Duration::from_secs(25);
/// How long a pod that the kubelet has started by itself may take to be healthy. Otherwise it is
/// restarted, so that it need not wait for the kubelet's next try.
const ANEW_LIMIT: Duration = Duration::from_secs(15);
/// How long is waited for the end of a pod that can neither be asked nor be looked for.
const BLIND_WAIT: Duration = Duration::from_secs(55);
/// How long a pod that says nothing of its health may take to run.
const RUN_LIMIT: Duration = Duration::from_mins(1);
/// The pause between two questions.
const PAUSE: Duration = Duration::from_millis(200);

/// How the control plane was before anything was replaced.
pub(super) struct Before {
    /// What tells how the components are.
    waits: Vec<Action>,
    /// Whether the API server was healthy. It is to be so again once etcd is back.
    api_server_was_healthy: bool,
}

/// Everything that a restart needs.
pub(super) struct Restart<'a> {
    pub(super) before: Before,
    pub(super) host: &'a Host,
    pub(super) facts: &'a Facts,
    pub(super) backup: &'a Backup,
    /// The files that were renewed.
    pub(super) renewed: &'a [LogicalPath],
    /// Whether the kubelet's client certificate is among them.
    pub(super) kubelet: bool,
}

/// Why a pod is not what it should be.
enum Trouble {
    /// It did not end, so that it runs on as it was.
    RunsOn(Problem),
    /// It ended and does not come back well.
    Unhealthy(Problem),
}

impl Trouble {
    fn of(error: &HostError) -> Self {
        Self::Unhealthy(Problem::from_error(error))
    }
}

impl Before {
    /// Looks, and changes nothing.
    pub(super) async fn look(
        tree: &[Phase<Facts>],
        host: &Host,
        facts: &Facts,
    ) -> Result<Self, ExitCode> {
        let waits = actions(tree, facts, &["wait-control-plane"])?;
        let mut before = Self {
            waits,
            api_server_was_healthy: false,
        };
        if let Some(wait) = before.wait(API_SERVER.name) {
            let apply = Apply::new(host.clone(), facts);
            before.api_server_was_healthy = apply.inspect(wait).await.holds();
        }
        Ok(before)
    }

    /// What waits for a component, if it is one that init waits for.
    fn wait(&self, component: &str) -> Option<&Action> {
        self.waits.iter().find(
            |action| matches!(action, Action::Gate(Gate::Wait(spec)) if spec.target.component() == component),
        )
    }
}

/// Where manifests lie while their pods end.
fn parking(facts: &Facts) -> LogicalPath {
    keeping(facts).join("rinit-restart")
}

/// The manifests that are away because a run was killed.
pub(super) fn parked(host: &Host, facts: &Facts) -> Result<Vec<LogicalPath>, HostError> {
    let mut away = Vec::new();
    for name in host.list(&parking(facts))?.unwrap_or_default() {
        let manifest = facts.node.paths.manifests.join(&name);
        if !name.starts_with('.') && !host.exists(&manifest)? {
            away.push(manifest);
        }
    }
    Ok(away)
}

/// Puts back the manifests that a killed run has left aside. Answers what is to be told.
pub(super) async fn put_back(host: &Host, facts: &Facts) -> Result<Vec<String>, HostError> {
    let folder = parking(facts);
    let mut told = Vec::new();
    for manifest in parked(host, facts)? {
        let aside = folder.join(manifest.file_name());
        if host.is_running_system()
            && let Some(pod) = pod_aside(host, &aside, &manifest)
            && let Ok(runtime) = Runtime::connect(&facts.node.cri_socket).await
        {
            // The manifest comes back in any case.
            let _ = pod.remove_ended(&runtime).await;
        }
        if let (Some(content), Some(info)) = (host.read(&aside)?, host.info(&aside)?) {
            let access = Access {
                mode: info.mode,
                owner: Some((info.owner, info.group)),
            };
            host.stage(&manifest, access, &content)?.commit()?;
            told.push(format!("{manifest} is back, which was left aside"));
        }
    }
    host.remove_folder(&folder)?;
    Ok(told)
}

impl Restart<'_> {
    /// Brings back everything, or says what does not come back.
    pub(super) async fn run(&self, interrupts: &mut Interrupts) -> ExitCode {
        // Every change of a file is made in one go between two waits, so that ending at any of
        // them leaves nothing but a manifest aside.
        tokio::select! {
            code = self.bring_back() => code,
            () = interrupts.next() => {
                self.end_early().await;
                ExitCode::Failure
            }
        }
    }

    async fn end_early(&self) {
        printer::error(
            "interrupted",
            Some(
                "the new certificates are in place; run the same command again, or restart what \
                 is left yourself",
            ),
        );
        match put_back(self.host, self.facts).await {
            Ok(told) => told.iter().for_each(|line| printer::progress(line)),
            Err(error) => printer::problem(&Problem::from_error(&error)),
        }
    }

    async fn bring_back(&self) -> ExitCode {
        let apply = Apply::new(self.host.clone(), self.facts);
        // Tells the executor that looking is over, so that it waits.
        apply.prepare(&[]);
        let before = self.containers().await;
        let mut kubelet_since = match self.kubelet(&apply).await {
            Ok(is_new) => is_new.then(Instant::now),
            Err(problem) => {
                printer::problem(&problem);
                return ExitCode::Failure;
            }
        };
        let pods = pods_that_use(self.host, self.facts, self.renewed);
        for (index, pod) in pods.iter().enumerate() {
            // Whether a healthy API server can work with etcd is seen in a restart.
            let is_watched = pod.name == ETCD.name && self.before.api_server_was_healthy;
            if !is_watched
                && self
                    .has_started_anew(&apply, pod, before.as_ref(), kubelet_since.is_some())
                    .await
            {
                printer::progress(&format!(
                    "{} has started with them and is healthy",
                    pod.name
                ));
                // Only from now on does a new kubelet hear from it.
                if pod.name == API_SERVER.name && kubelet_since.is_some() {
                    kubelet_since = Some(Instant::now());
                }
                continue;
            }
            printer::progress(&format!("restarting {}", pod.name));
            if let Some(since) = kubelet_since {
                tokio::time::sleep(SETTLE.saturating_sub(since.elapsed())).await;
            }
            let Err(trouble) = self.pod(&apply, pod).await else {
                printer::progress(&format!("  {} is healthy", pod.name));
                continue;
            };
            self.undo(&apply, pod, trouble).await;
            let rest: Vec<&str> = pods[index + 1..]
                .iter()
                .map(|pod| pod.name.as_str())
                .collect();
            if !rest.is_empty() {
                printer::progress(&format!("not restarted: {}", rest.join(", ")));
            }
            return ExitCode::Failure;
        }
        ExitCode::Success
    }

    /// Restarts the kubelet if its certificate is new, and starts it if it does not run, since
    /// nothing else starts a static pod. Answers whether it did.
    async fn kubelet(&self, apply: &Apply) -> Result<bool, Problem> {
        let system = InitSystem::detect().await;
        let told = |error: HostError| Problem::from_error(&error);
        if !self.kubelet && system.is_active("kubelet").await.unwrap_or(true) {
            return Ok(false);
        }
        printer::progress("restarting the kubelet");
        system.restart("kubelet").await.map_err(told)?;
        for action in &self.before.waits {
            if let Action::Gate(Gate::Wait(WaitSpec {
                target: WaitTarget::Kubelet { .. },
                ..
            })) = action
            {
                ensure(apply, action).await?;
            }
        }
        Ok(true)
    }

    /// Whether a pod has started since then, with its files replaced, and is well: the kubelet starts again
    /// what had crashed for an expired certificate, at once if it was itself restarted.
    async fn has_started_anew(
        &self,
        apply: &Apply,
        pod: &Pod,
        before: Option<&Known>,
        kubelet_is_new: bool,
    ) -> bool {
        let (Some(before), Ok(runtime)) =
            (before, Runtime::connect(&self.facts.node.cri_socket).await)
        else {
            return false;
        };
        let started = Instant::now();
        loop {
            let is_new = pod.has_started_since(&runtime, before).await;
            if is_new && self.is_well(apply, pod).await {
                return true;
            }
            let is_old =
                !is_new && matches!(pod.stage(&runtime).await, Ok(Stage::Running) | Err(_));
            let may_come = is_new || (kubelet_is_new && !is_old);
            if !may_come || started.elapsed() >= ANEW_LIMIT {
                return false;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The containers that are there now, if that can be known. Whether they have the new certificates is
    /// not.
    async fn containers(&self) -> Option<Known> {
        let runtime = Runtime::connect(&self.facts.node.cri_socket).await.ok()?;
        let containers = runtime.containers().await.ok()?;
        Some(containers.into_iter().map(|one| one.id).collect())
    }

    /// Looks once whether a pod is healthy.
    async fn is_well(&self, apply: &Apply, pod: &Pod) -> bool {
        match (self.before.wait(&pod.name), pod.probe_url()) {
            (Some(wait), _) => apply.inspect(wait).await.holds(),
            (None, Some(url)) => probe(&url, &Trust::Anyone, None, PROBE_LIMIT)
                .await
                .is_ok_and(|answer| answer.status == 200),
            (None, None) => true,
        }
    }

    /// Restarts a pod and waits until it is healthy, and with etcd the API server too, which
    /// cannot do without it.
    async fn pod(&self, apply: &Apply, pod: &Pod) -> Result<(), Trouble> {
        self.bounce(pod).await?;
        self.healthy(apply, pod).await?;
        if pod.name == ETCD.name
            && self.before.api_server_was_healthy
            && let Some(wait) = self.before.wait(API_SERVER.name)
        {
            ensure(apply, wait).await.map_err(|problem| {
                Trouble::Unhealthy(Problem {
                    message: format!(
                        "etcd is back, but the API server cannot work with it: {}",
                        problem.message
                    ),
                    ..problem
                })
            })?;
        }
        Ok(())
    }

    async fn healthy(&self, apply: &Apply, pod: &Pod) -> Result<(), Trouble> {
        match self.before.wait(&pod.name) {
            Some(wait) => ensure(apply, wait).await,
            None => self.answers(pod).await,
        }
        .map_err(Trouble::Unhealthy)
    }

    /// Ends a pod and lets it start again.
    async fn bounce(&self, pod: &Pod) -> Result<(), Trouble> {
        for left in (0..TRIES).rev() {
            if self.try_bounce(pod).await? {
                return Ok(());
            }
            if left > 0 {
                printer::progress(&format!("  {} does not end; once more", pod.name));
                tokio::time::sleep(BETWEEN).await;
            }
        }
        Err(Trouble::RunsOn(
            Problem::new(format!(
                "{} did not end within {} s of its manifest being taken away",
                pod.name,
                END_LIMIT.as_secs()
            ))
            .with_hint("See whether the kubelet works: `journalctl -xeu kubelet`."),
        ))
    }

    /// Takes the manifest away, waits until the pod has ended, and puts it back in any case.
    /// Answers whether the pod has ended.
    async fn try_bounce(&self, pod: &Pod) -> Result<bool, Trouble> {
        let host = self.host;
        let look = || -> Result<_, HostError> {
            Ok((host.read(&pod.manifest)?, host.info(&pod.manifest)?))
        };
        let (Some(content), Some(info)) = look().map_err(|error| Trouble::of(&error))? else {
            return Ok(true);
        };
        let access = Access {
            mode: info.mode,
            owner: Some((info.owner, info.group)),
        };
        let folder = parking(self.facts);
        let aside = folder.join(pod.manifest.file_name());
        let park = || -> Result<(), HostError> {
            host.create_folder(&folder, FileMode::PRIVATE_DIRECTORY)?;
            host.stage(&aside, access, &content)?.commit()?;
            host.remove_file(&pod.manifest)?;
            Ok(())
        };
        let back = || -> Result<(), HostError> {
            host.stage(&pod.manifest, access, &content)?.commit()?;
            host.remove_folder(&folder)?;
            Ok(())
        };
        let alive = pod.is_alive().await;
        park().map_err(|error| Trouble::of(&error))?;
        let ended = self.ended(pod, alive).await;
        back().map_err(|error| Trouble::of(&error))?;
        Ok(ended)
    }

    /// Waits until no container of the pod runs, for a bounded time. Answers whether it ended.
    async fn ended(&self, pod: &Pod, was_alive: bool) -> bool {
        let started = Instant::now();
        let Ok(runtime) = Runtime::connect(&self.facts.node.cri_socket).await else {
            return self.ended_unseen(pod, was_alive).await;
        };
        let mut stopped: Option<Instant> = None;
        while started.elapsed() < END_LIMIT {
            tokio::time::sleep(PAUSE).await;
            match pod.stage(&runtime).await {
                Ok(Stage::Running) => stopped = None,
                // A pod whose container had crashed has a sandbox until the kubelet ends it.
                Ok(Stage::Sandbox) => {
                    let since = *stopped.get_or_insert_with(Instant::now);
                    if since.elapsed() >= SANDBOX_LIMIT {
                        break;
                    }
                }
                Ok(Stage::Gone) if started.elapsed() < NOTICE => {}
                Ok(Stage::Gone) => {
                    // It starts without that too, only later.
                    let _ = pod.remove_ended(&runtime).await;
                    return true;
                }
                Err(error) => {
                    printer::progress(&format!("  {}", rinit_diag::chain(&error)));
                    return self.ended_unseen(pod, was_alive).await;
                }
            }
        }
        stopped.is_some()
    }

    /// The same where no container runtime can be asked: a pod that was alive has ended when
    /// nothing listens there any more.
    async fn ended_unseen(&self, pod: &Pod, was_alive: bool) -> bool {
        if !was_alive {
            printer::progress(&format!(
                "  no container runtime can be asked; giving the kubelet {} s",
                BLIND_WAIT.as_secs()
            ));
            tokio::time::sleep(BLIND_WAIT).await;
            return true;
        }
        let started = Instant::now();
        while started.elapsed() < END_LIMIT {
            if !pod.is_alive().await {
                return true;
            }
            tokio::time::sleep(PAUSE).await;
        }
        false
    }

    /// Waits until a pod that init does not wait for, such as etcd, answers where its own probe
    /// asks it, or at least runs.
    async fn answers(&self, pod: &Pod) -> Result<(), Problem> {
        let Some(url) = pod.probe_url() else {
            return self.runs(pod).await;
        };
        let limit = Duration::from_secs(
            self.facts
                .node
                .timeouts
                .control_plane_component_health_check,
        );
        let started = Instant::now();
        loop {
            let last = match probe(&url, &Trust::Anyone, None, PROBE_LIMIT).await {
                Ok(answer) if answer.status == 200 => return Ok(()),
                Ok(answer) => format!("{url} answers {}", answer.status),
                Err(error) => rinit_diag::chain(&error),
            };
            if started.elapsed() >= limit {
                return Err(Problem::new(format!("{} is not healthy: {last}", pod.name))
                    .with_hint("Look at `journalctl -xeu kubelet`."));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until a container of the pod runs. Where nobody can be asked, nothing is known.
    async fn runs(&self, pod: &Pod) -> Result<(), Problem> {
        let Ok(runtime) = Runtime::connect(&self.facts.node.cri_socket).await else {
            return Ok(());
        };
        let started = Instant::now();
        while started.elapsed() < RUN_LIMIT {
            if matches!(pod.stage(&runtime).await, Ok(Stage::Running) | Err(_)) {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(Problem::new(format!("no container of {} runs", pod.name))
            .with_hint("Look at `journalctl -xeu kubelet`."))
    }

    /// Puts the old certificates of a pod back, starts it with them, and says how it went.
    async fn undo(&self, apply: &Apply, pod: &Pod, trouble: Trouble) {
        let (problem, runs_on) = match trouble {
            Trouble::RunsOn(problem) => (problem, true),
            Trouble::Unhealthy(problem) => (problem, false),
        };
        printer::problem(&problem);
        let name = &pod.name;
        printer::progress(&format!("putting the old certificates of {name} back"));
        if let Err(error) = self.backup.restore(self.host, |path| pod.uses(path)) {
            printer::error(&rinit_diag::chain(&error), error.hint().as_deref());
            return;
        }
        if runs_on {
            printer::progress(&format!("{name} runs on as it was"));
            return;
        }
        let outcome = match self.bounce(pod).await {
            Ok(()) => self.healthy(apply, pod).await,
            Err(trouble) => Err(trouble),
        };
        match outcome {
            Ok(()) => printer::progress(&format!(
                "{name} is healthy again with its old certificates; what else was renewed stays so"
            )),
            Err(Trouble::RunsOn(problem) | Trouble::Unhealthy(problem)) => {
                printer::error(
                    &format!(
                        "{name} does not come back with its old certificates either, so they are \
                         hardly the cause: {}",
                        problem.message
                    ),
                    problem.hint.as_deref(),
                );
            }
        }
    }
}

async fn ensure(apply: &Apply, action: &Action) -> Result<(), Problem> {
    apply
        .ensure(action, &|line| printer::progress(&format!("  {line}")))
        .await
        .map(drop)
        .map_err(|error| Problem::from_error(&error))
}
