//! Checks of files and folders: what stands in the way, and what must be there.

use rinit_plan::LogicalPath;

use super::CheckOutcome;
use crate::{FileKind, Host, Result};

impl Host {
    pub(super) fn file_available(&self, path: &LogicalPath) -> Result<CheckOutcome> {
        let Some(text) = self.read_text(path)? else {
            return Ok(CheckOutcome::Passed);
        };
        let component = path
            .file_name()
            .trim_end_matches(".yaml")
            .trim_end_matches(".yml");
        if is_manifest_of(&text, component) {
            return Ok(CheckOutcome::Passed);
        }
        let shown = self.resolve(path);
        let shown = shown.display();
        Ok(CheckOutcome::failed(
            format!("{shown} exists and is not the static pod of {component}"),
            format!("See what it is with `cat {shown}`, then move it out of that folder."),
        ))
    }

    pub(super) fn folder_available(
        &self,
        path: &LogicalPath,
        owner_manifest: &LogicalPath,
    ) -> Result<CheckOutcome> {
        let shown = self.resolve(path);
        let shown = shown.display();
        if let Some(info) = self.info(path)?
            && info.kind != FileKind::Folder
        {
            return Ok(CheckOutcome::failed(
                format!("{shown} is not a folder"),
                format!("Move it away, for example with `mv {shown} {shown}.old`."),
            ));
        }
        // An earlier init filled it.
        if self.exists(owner_manifest)? {
            return Ok(CheckOutcome::Passed);
        }
        Ok(match self.list(path)? {
            None => CheckOutcome::Passed,
            Some(names) if names.iter().all(|name| name == "lost+found") => CheckOutcome::Passed,
            Some(names) => CheckOutcome::failed(
                format!(
                    "{shown} is not empty ({} is in it), and {} does not exist",
                    names.join(", "),
                    self.resolve(owner_manifest).display()
                ),
                format!(
                    "It may hold the data of an older cluster. Move it away with \
                     `mv {shown} {shown}.old` if a new cluster is wanted."
                ),
            ),
        })
    }

    pub(super) fn file_content(&self, path: &LogicalPath, content: &str) -> Result<CheckOutcome> {
        let text = self.read_text(path)?;
        let found = text.as_deref().map(str::trim);
        if found == Some(content.trim()) {
            return Ok(CheckOutcome::Passed);
        }
        let shown = self.resolve(path);
        let shown = shown.display();
        let message = match found {
            None => format!("{shown} does not exist, and should hold {content}"),
            // Such files hold a number; anything long is not worth showing.
            Some(found) if found.len() <= 40 => {
                format!("{shown} holds {found}, and should hold {content}")
            }
            Some(_) => format!("{shown} does not hold {content}"),
        };
        let hint = match sysctl_name(path) {
            Some(name) => format!(
                "Set it with `sysctl -w {name}={content}`, and for the next boot with \
                 `echo '{name} = {content}' > /etc/sysctl.d/99-kubernetes.conf`."
            ),
            None => format!("Look at it with `cat {shown}`."),
        };
        Ok(CheckOutcome::failed(message, hint))
    }

    pub(super) fn file_exists(&self, path: &LogicalPath) -> Result<CheckOutcome> {
        let shown = self.resolve(path);
        Ok(match self.read(path)? {
            Some(_) => CheckOutcome::Passed,
            None => CheckOutcome::failed(
                format!("{} does not exist", shown.display()),
                format!(
                    "Put it there, or name its place in the configuration; `ls -l {}` shows what is \
                     there.",
                    shown.parent().unwrap_or(&shown).display()
                ),
            ),
        })
    }
}

/// Whether a text is a static pod with the label of this component.
fn is_manifest_of(text: &str, component: &str) -> bool {
    let mut lines = text.lines().map(str::trim);
    let label = format!("component: {component}");
    let is_pod = lines.clone().any(|line| line == "kind: Pod");
    is_pod && lines.any(|line| line == label)
}

/// The name of a file below `/proc/sys` as `sysctl` takes it.
fn sysctl_name(path: &LogicalPath) -> Option<String> {
    path.as_str()
        .strip_prefix("/proc/sys/")
        .map(|name| name.replace('/', "."))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::Root;

    const MANIFEST: &str = "apiVersion: v1\nkind: Pod\nmetadata:\n  labels:\n    component: etcd\n";

    fn check(folder: &Path, look: impl Fn(&Host) -> Result<CheckOutcome>) -> CheckOutcome {
        look(&Host::new(Root::Folder(folder.to_owned()))).unwrap()
    }

    fn path(text: &str) -> LogicalPath {
        LogicalPath::parse(text).unwrap()
    }

    fn hint(outcome: CheckOutcome) -> String {
        match outcome {
            CheckOutcome::Failed { problem } => problem.hint.unwrap(),
            other => panic!("did not fail: {other:?}"),
        }
    }

    #[test]
    fn our_own_manifest_is_not_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("etcd.yaml");
        let look = || {
            check(folder.path(), |host| {
                host.file_available(&path("/etcd.yaml"))
            })
        };
        assert_eq!(look(), CheckOutcome::Passed);
        std::fs::write(&file, MANIFEST).unwrap();
        assert_eq!(look(), CheckOutcome::Passed);
        std::fs::write(&file, MANIFEST.replace("etcd", "other")).unwrap();
        assert!(hint(look()).contains("`cat "));
    }

    #[test]
    fn the_data_of_another_cluster_is_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let look = || {
            check(folder.path(), |host| {
                host.folder_available(&path("/var/lib/etcd"), &path("/etcd.yaml"))
            })
        };
        assert_eq!(look(), CheckOutcome::Passed);
        std::fs::create_dir_all(folder.path().join("var/lib/etcd/lost+found")).unwrap();
        assert_eq!(look(), CheckOutcome::Passed);
        std::fs::create_dir(folder.path().join("var/lib/etcd/member")).unwrap();
        assert!(hint(look()).contains("`mv "));
        std::fs::write(folder.path().join("etcd.yaml"), MANIFEST).unwrap();
        assert_eq!(look(), CheckOutcome::Passed);
    }

    #[test]
    fn a_kernel_setting_is_told_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let setting = path("/proc/sys/net/ipv4/ip_forward");
        let look = || check(folder.path(), |host| host.file_content(&setting, "1"));
        assert!(hint(look()).contains("`sysctl -w net.ipv4.ip_forward=1`"));
        std::fs::create_dir_all(folder.path().join("proc/sys/net/ipv4")).unwrap();
        let file = folder.path().join("proc/sys/net/ipv4/ip_forward");
        std::fs::write(&file, "0\n").unwrap();
        let CheckOutcome::Failed { problem } = look() else {
            panic!("0 is not 1");
        };
        assert!(
            problem
                .message
                .ends_with("ip_forward holds 0, and should hold 1")
        );
        std::fs::write(&file, "1\n").unwrap();
        assert_eq!(look(), CheckOutcome::Passed);
    }

    #[test]
    fn a_missing_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let look = || check(folder.path(), |host| host.file_exists(&path("/pki/ca.crt")));
        assert!(hint(look()).contains("`ls -l "));
    }
}
