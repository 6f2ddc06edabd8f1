//! Differences that come of which kubeadm could be had, not of rinit: one closed list.

/// The beginnings of versions, and a part of what the difference says.
///
/// rinit does as the newest patch of a minor; not each of them can be had as a module.
const OLDER_BUILDS: &[(&[&str], &str)] = &[
    // A way to compute an identifier; nothing depends on it. Go changed it in 1.25.
    (&["v1.32.", "v1.33.", "v1.34."], "subject_key_id"),
];

/// Whether a difference from a kubeadm of this version is only there because of its build.
pub fn is_of_an_older_build(version: &str, difference: &str) -> bool {
    OLDER_BUILDS.iter().any(|(versions, part)| {
        versions.iter().any(|begin| version.starts_with(begin)) && difference.contains(part)
    })
}

#[cfg(test)]
mod tests {
    use super::is_of_an_older_build;

    #[test]
    fn only_the_builds_that_are_named_are_excused() {
        let identifier = "certificate /etc/kubernetes/pki/ca.crt: subject_key_id";
        assert!(is_of_an_older_build("v1.34.4", identifier));
        assert!(!is_of_an_older_build("v1.35.4", identifier));
        assert!(!is_of_an_older_build(
            "v1.34.4",
            "certificate /etc/kubernetes/pki/ca.crt: subject"
        ));
    }
}
