//! The file from which the kubelet's unit takes its extra arguments.

use std::fmt::Write as _;

use rinit_facts::Facts;
use rinit_manifest::arguments::command_line;
use rinit_plan::Taint;

/// One shell variable with all arguments.
pub(crate) fn environment_file(facts: &Facts) -> String {
    let table = facts.cluster.version.table();
    let mut base = Vec::new();
    if !facts.has_instance_configuration() {
        base.push(("container-runtime-endpoint", facts.node.cri_socket.clone()));
    }
    if table.pod_infra_container_image {
        base.push((
            "pod-infra-container-image",
            facts.cluster.images.pause.clone(),
        ));
    }
    if facts.node.name != facts.node.hostname {
        base.push(("hostname-override", facts.node.name.clone()));
    }
    // The control plane is tainted by its own phase.
    if facts.is_worker() && !facts.node.taints.is_empty() {
        let taints: Vec<String> = facts.node.taints.iter().map(taint).collect();
        base.push(("register-with-taints", taints.join(",")));
    }
    let arguments = command_line(base, &facts.node.kubelet_extra_args);
    format!("KUBELET_KUBEADM_ARGS={}\n", quote(&arguments.join(" ")))
}

/// A taint as the kubelet's argument has it: `key=value:effect` or `key:effect`.
fn taint(taint: &Taint) -> String {
    let value = taint.value.iter().map(|value| format!("={value}"));
    let value: String = value.collect();
    format!("{}{value}:{}", taint.key, taint.effect)
}

/// A text in double quotes, with the escapes of a Go string.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(character);
            }
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{b}' => quoted.push_str("\\v"),
            control if control.is_ascii_control() => {
                let _ = write!(quoted, "\\x{:02x}", u32::from(control));
            }
            control if control.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_those_of_go() {
        for (text, quoted) in [
            ("", r#""""#),
            ("--v=4 --x=a b", r#""--v=4 --x=a b""#),
            ("a\"b\\c", r#""a\"b\\c""#),
            (
                "tab\tnewline\n\u{1}\u{85}ü",
                "\"tab\\tnewline\\n\\x01\\u0085ü\"",
            ),
        ] {
            assert_eq!(quote(text), quoted);
        }
    }
}
