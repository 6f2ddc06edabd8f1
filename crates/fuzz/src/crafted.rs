//! Files that are hard to read: aliases that stand for more than there is, deep nesting, endless
//! lines, numbers and names, other encodings. Each is about as long as is asked for.

/// The beginning of a document that the fields of a kubelet follow.
const KUBELET: &str = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n---\n\
                       apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n";
const CLUSTER: &str = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n";
const INIT: &str = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n";

/// The name of a file, and what makes it for about how many bytes it shall have.
pub type Hard = (&'static str, fn(usize) -> Vec<u8>);

/// The files.
pub static HARD: &[Hard] = &[
    // Each list is nine times the one before.
    ("laughs", |size| {
        numbered(
            size,
            &format!("{KUBELET}a0: &a0 [x, x, x, x, x, x, x, x, x]\n"),
            &|n| {
                format!(
                    "a{}: &a{} [{}]\n",
                    n + 1,
                    n + 1,
                    vec![format!("*a{n}"); 9].join(", ")
                )
            },
        )
    }),
    // One large value, many times.
    ("large-anchor", |size| {
        let mut text = format!("{KUBELET}a: &a [{}]\nb:\n", "x, ".repeat(size / 6));
        while text.len() < size {
            text += "- *a\n";
        }
        text.into_bytes()
    }),
    ("large-text-anchor", |size| {
        let mut text = format!("{KUBELET}a: &a {}\nb:\n", "x".repeat(size / 10 * 9));
        while text.len() < size {
            text += "- *a\n";
        }
        text.into_bytes()
    }),
    ("merges", |size| {
        numbered(size, &format!("{KUBELET}a0: &a0 {{x: 1, y: 2}}\n"), &|n| {
            format!("a{}: &a{} {{<<: *a{n}, k{n}: {n}}}\n", n + 1, n + 1)
        })
    }),
    ("merged-list", |size| {
        numbered(
            size,
            &format!(
                "{KUBELET}a: &a {{{}}}\nb:\n  <<:\n",
                (0..1000.min(size / 20))
                    .map(|n| format!("k{n}: {n}"))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
            &|_| "  - *a\n".to_owned(),
        )
    }),
    ("anchors", |size| {
        numbered(size, KUBELET, &|n| format!("k{n}: &a{n} {n}\n"))
    }),
    ("same-anchor", |size| {
        numbered(size, KUBELET, &|n| format!("k{n}: &a [{n}, *a]\n"))
    }),
    ("deep-flow-list", |size| {
        repeated(size, &format!("{KUBELET}a: "), "[", "")
    }),
    ("deep-flow-map", |size| {
        repeated(size, &format!("{KUBELET}a: "), "{a: ", "")
    }),
    ("deep-closed", |size| {
        [
            KUBELET.as_bytes(),
            b"a: ",
            "[".repeat(size / 2).as_bytes(),
            "]".repeat(size / 2).as_bytes(),
        ]
        .concat()
    }),
    ("deep-block", |size| {
        let mut text = KUBELET.to_owned();
        let mut depth = 0;
        while text.len() < size {
            text.extend(std::iter::repeat_n(' ', depth));
            text += "a:\n";
            depth += 1;
        }
        text.into_bytes()
    }),
    ("deep-dashes", |size| {
        repeated(size, &format!("{KUBELET}a:\n"), "- ", "x\n")
    }),
    ("deep-questions", |size| repeated(size, "", "? ", "x\n")),
    ("documents", |size| repeated(size, "", "---\na: b\n", "")),
    ("empty-documents", |size| repeated(size, "", "---\n", "")),
    ("same-documents", |size| {
        repeated(size, "", &format!("---\n{CLUSTER}"), "")
    }),
    ("foreign-documents", |size| {
        numbered(size, "", &|n| {
            format!("---\napiVersion: x/v1\nkind: K{n}\n")
        })
    }),
    ("unknown-fields", |size| {
        numbered(size, CLUSTER, &|n| format!("field{n}: {n}\n"))
    }),
    ("unknown-kubelet-fields", |size| {
        numbered(size, KUBELET, &|n| format!("field{n}: {n}\n"))
    }),
    ("unknown-fields-flow", |size| {
        numbered(
            size,
            "{apiVersion: kubeadm.k8s.io/v1beta4, kind: ClusterConfiguration",
            &|n| format!(", field{n}: {n}"),
        )
    }),
    ("duplicate-keys", |size| {
        repeated(size, CLUSTER, "clusterName: a\n", "")
    }),
    ("duplicate-keys-flow", |size| {
        repeated(
            size,
            "{apiVersion: kubeadm.k8s.io/v1beta4, kind: ClusterConfiguration",
            ", clusterName: a",
            "}",
        )
    }),
    ("extra-args", |size| {
        numbered(
            size,
            &format!("{CLUSTER}apiServer:\n  extraArgs:\n"),
            &|n| format!("  - {{name: a{n}, value: b}}\n"),
        )
    }),
    ("unknown-args", |size| {
        numbered(
            size,
            &format!("{CLUSTER}apiServer:\n  extraArgs:\n"),
            &|n| format!("  - name: secure-prot{n}\n    value: b\n"),
        )
    }),
    ("sans", |size| {
        numbered(size, &format!("{CLUSTER}apiServer:\n  certSANs:\n"), &|n| {
            format!("  - host{n}.example.com\n")
        })
    }),
    ("bad-sans", |size| {
        numbered(size, &format!("{CLUSTER}apiServer:\n  certSANs:\n"), &|n| {
            format!("  - host_{n}\n")
        })
    }),
    ("volumes", |size| {
        numbered(
            size,
            &format!("{CLUSTER}apiServer:\n  extraVolumes:\n"),
            &|n| format!("  - {{name: v{n}, hostPath: /v{n}, mountPath: /v{n}}}\n"),
        )
    }),
    ("tokens", |size| {
        numbered(size, &format!("{INIT}bootstrapTokens:\n"), &|n| {
            format!("- token: abcdef.{n:016x}\n")
        })
    }),
    ("ignored-checks", |size| {
        numbered(
            size,
            &format!("{INIT}nodeRegistration:\n  ignorePreflightErrors:\n"),
            &|n| format!("  - Check{n}\n"),
        )
    }),
    ("taints", |size| {
        numbered(
            size,
            &format!("{INIT}nodeRegistration:\n  taints:\n"),
            &|n| format!("  - {{key: k{n}, effect: NoSchedule}}\n"),
        )
    }),
    ("subnets", |size| {
        repeated(
            size,
            &format!("{CLUSTER}networking:\n  podSubnet: 10.0.0.0/8"),
            ",10.0.0.0/8",
            "\n",
        )
    }),
    ("feature-gates", |size| {
        numbered(size, &format!("{CLUSTER}featureGates:\n"), &|n| {
            format!("  Gate{n}: true\n")
        })
    }),
    ("long-name", |size| {
        repeated(size, &format!("{CLUSTER}clusterName: "), "a", "\n")
    }),
    ("long-field", |size| repeated(size, CLUSTER, "a", ": b\n")),
    ("long-number", |size| {
        repeated(
            size,
            &format!("{CLUSTER}caCertificateValidityPeriod: "),
            "9",
            "h\n",
        )
    }),
    ("long-version", |size| {
        repeated(
            size,
            &format!("{CLUSTER}kubernetesVersion: v1.37."),
            "1",
            "\n",
        )
    }),
    ("long-duration", |size| {
        repeated(
            size,
            &format!("{CLUSTER}caCertificateValidityPeriod: "),
            "1h",
            "\n",
        )
    }),
    ("long-kind", |size| {
        repeated(
            size,
            "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ",
            "ClusterConfiguration",
            "\n",
        )
    }),
    ("integer", |size| {
        repeated(
            size,
            &format!("{INIT}localAPIEndpoint:\n  bindPort: "),
            "9",
            "\n",
        )
    }),
    ("octal", |size| {
        repeated(size, &format!("{KUBELET}port: 0"), "7", "\n")
    }),
    ("hexadecimal", |size| {
        repeated(size, &format!("{KUBELET}port: 0x"), "f", "\n")
    }),
    ("underscores", |size| {
        repeated(size, &format!("{KUBELET}port: 1"), "_", "1\n")
    }),
    ("sexagesimal", |size| {
        repeated(size, &format!("{KUBELET}port: 1"), ":59", "\n")
    }),
    ("float", |size| {
        repeated(size, &format!("{KUBELET}port: 1."), "1", "e999999999\n")
    }),
    ("literal", |size| {
        repeated(size, &format!("{KUBELET}a: |\n"), "  line\n", "")
    }),
    ("folded", |size| {
        repeated(size, &format!("{KUBELET}a: >\n"), "  line\n\n", "")
    }),
    ("escapes", |size| {
        repeated(
            size,
            &format!("{KUBELET}a: \""),
            "\\U0010FFFF\\u0000\\n",
            "\"\n",
        )
    }),
    ("open-quote", |size| {
        repeated(size, &format!("{KUBELET}a: \""), "x", "")
    }),
    ("open-quotes", |size| {
        repeated(size, &format!("{KUBELET}a: '"), "''\n", "")
    }),
    ("comment", |size| repeated(size, CLUSTER, "# comment\n", "")),
    ("long-comment", |size| {
        repeated(size, &format!("{CLUSTER}#"), "comment", "\n")
    }),
    ("spaces", |size| repeated(size, CLUSTER, " ", "")),
    ("tabs", |size| repeated(size, CLUSTER, "\t", "a: b\n")),
    ("line-feeds", |size| repeated(size, CLUSTER, "\n", "a\n")),
    ("carriage-returns", |size| {
        repeated(
            size,
            "apiVersion: kubeadm.k8s.io/v1beta4\r\nkind: ClusterConfiguration\r\n",
            "# a\r\n",
            "clusterName: a\r\n",
        )
    }),
    ("colons", |size| repeated(size, CLUSTER, ":", "")),
    ("colon-lines", |size| repeated(size, CLUSTER, ": a\n", "")),
    ("bad-lines", |size| repeated(size, CLUSTER, "a\n", "")),
    ("bad-documents", |size| repeated(size, "", "---\n@\n", "")),
    ("flow-colons", |size| {
        repeated(size, &format!("{KUBELET}a: ["), "a: b, ", "]\n")
    }),
    ("flow-lines", |size| {
        repeated(size, &format!("{KUBELET}a: ["), "a,\n ", "]\n")
    }),
    ("tags", |size| {
        repeated(size, &format!("{KUBELET}a:\n"), "- !!str !x a\n", "")
    }),
    ("tag-directives", |size| {
        numbered(size, "", &|n| format!("%TAG !a{n}! tag:a{n}:\n"))
    }),
    ("unresolved-aliases", |size| {
        repeated(size, &format!("{KUBELET}a:\n"), "- *b\n", "")
    }),
    ("complex-keys", |size| {
        repeated(size, KUBELET, "? [a]\n: b\n", "")
    }),
    ("zero-bytes", |size| repeated(size, CLUSTER, "\0", "")),
    ("zero-file", |size| vec![0; size]),
    ("invalid-utf8", |size| {
        [CLUSTER.as_bytes(), &vec![0xff; size]].concat()
    }),
    ("truncated-utf8", |size| {
        [
            CLUSTER.as_bytes(),
            b"# ",
            "\u{10ffff}".repeat(size / 4).as_bytes(),
            &[0xf4, 0x8f],
        ]
        .concat()
    }),
    ("wide-characters", |size| {
        repeated(size, &format!("{CLUSTER}clusterName: "), "\u{10348}", "\n")
    }),
    ("byte-order-marks", |size| {
        repeated(size, "", "\u{feff}", CLUSTER)
    }),
    ("utf16-little", |size| {
        utf16(size, u16::to_le_bytes, [0xff, 0xfe])
    }),
    ("utf16-big", |size| {
        utf16(size, u16::to_be_bytes, [0xfe, 0xff])
    }),
    ("next-lines", |size| {
        repeated(size, CLUSTER, "\u{85}\u{2028}", "\n")
    }),
    ("json", |size| {
        numbered(
            size,
            "{\"apiVersion\": \"kubeadm.k8s.io/v1beta4\", \"kind\": \"ClusterConfiguration\", \"apiServer\": {\"certSANs\": [\"a\"",
            &|n| format!(", \"h_{n}\""),
        )
    }),
    ("v1beta3", |size| {
        numbered(
            size,
            "apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\napiServer:\n  extraArgs:\n",
            &|n| format!("    a{n}: b\n"),
        )
    }),
];

/// A line for each number, behind a head.
fn numbered(size: usize, head: &str, line: &dyn Fn(usize) -> String) -> Vec<u8> {
    let mut text = head.to_owned();
    let mut number = 0;
    while text.len() < size {
        text += &line(number);
        number += 1;
    }
    text.into_bytes()
}

/// A piece many times between a head and a tail.
fn repeated(size: usize, head: &str, piece: &str, tail: &str) -> Vec<u8> {
    let middle = piece.repeat(size / piece.len());
    [head, &middle, tail].concat().into_bytes()
}

fn utf16(size: usize, order: fn(u16) -> [u8; 2], mark: [u8; 2]) -> Vec<u8> {
    let text = format!("{CLUSTER}{}", "# comment\n".repeat(size / 10));
    let units = text.encode_utf16().take(size / 2).flat_map(order);
    mark.into_iter().chain(units).collect()
}
