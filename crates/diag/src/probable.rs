//! The known name that was meant by one that is not known.

/// The longest name that is compared, in bytes. None of ours is this long, and comparing costs the
/// product of the lengths.
const LONGEST: usize = 64;

/// How many characters of a prefix say what was meant.
const PREFIX: usize = 4;

/// The known name that was probably meant: the same but for case, with at most a third of its
/// characters inserted, removed, replaced or swapped with their neighbour, or with what was typed
/// as its beginning.
pub fn probable<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if typed.len() > LONGEST {
        return None;
    }
    let typed = typed.to_lowercase();
    let length = typed.chars().count();
    known
        .into_iter()
        .filter_map(|name| {
            let begins = length >= PREFIX
                && name
                    .get(..typed.len())
                    .is_some_and(|start| start.to_lowercase() == typed);
            let known_length = name.chars().count();
            let limit = known_length.max(3) / 3;
            // As many as one is longer have to be inserted in any case.
            if !begins && known_length.abs_diff(length) > limit {
                return None;
            }
            let distance = strsim::osa_distance(&typed, &name.to_lowercase());
            // Of a single letter nothing would be left.
            let is_near = distance <= limit && distance < known_length;
            (begins || is_near).then_some((distance, name))
        })
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_found() {
        let fields = ["serviceSubnet", "podSubnet", "dnsDomain"];
        let phases = ["certs", "kubeconfig", "control-plane", "kubelet-start"];
        for (typed, meant) in [
            ("serviceSubnets", Some("serviceSubnet")),
            ("servicesubnet", Some("serviceSubnet")),
            ("podSubent", Some("podSubnet")),
            ("dnsdomian", Some("dnsDomain")),
            ("dnsD", Some("dnsDomain")),
            ("cert", Some("certs")),
            ("controlplane", Some("control-plane")),
            ("bogus", None),
            ("nonsense", None),
            ("", None),
            ("x", None),
        ] {
            let known = fields.into_iter().chain(phases).chain(["v"]);
            assert_eq!(probable(typed, known), meant, "{typed}");
        }
    }
}
