//! Configuration files drawn from the schema: known fields with values that mostly fit, and with
//! anchors, aliases, tags, merges, duplicates, flow and block style, and values that do not fit.

use std::fmt::Write as _;

use arbitrary::{Result, Unstructured};
use rinit_config::schema::{ObjectSchema, Shape};
use rinit_config::{
    ClusterConfiguration, Format, InitConfiguration, JoinConfiguration, ResetConfiguration,
    UpgradeConfiguration,
};

const DEPTH: usize = 6;
const LARGEST: usize = 1 << 20;

/// Texts that some field takes or some parser stumbles over.
const TEXTS: &[&str] = &[
    "",
    "a",
    "node-1",
    "Node_1",
    "~",
    "null",
    "yes",
    "off",
    "0x1F",
    "0o17",
    "017",
    "1_000",
    "1e3",
    "1:30",
    ".inf",
    "-.INF",
    ".nan",
    "2026-11-22",
    "2026-11-22T01:00:00Z",
    "9223372036854775808",
    "-9223372036854775809",
    "340282366920938463463374607431768211456",
    "1e999",
    "6443",
    "0",
    "-1",
    "65536",
    "true",
    "10.96.0.0/12",
    "10.244.0.0/16,fd00:1::/48",
    "fd00::/108",
    "10.0.0.1",
    "::1",
    "fe80::1%eth0",
    "::ffff:10.0.0.1",
    "010.0.0.1",
    "0.0.0.0/0",
    "::/0",
    "255.255.255.255/32",
    "10.0.0.1:6443",
    "[::1]:6443",
    "example.com:6443",
    "host:0",
    "*.example.com",
    "https://10.0.0.1:2379",
    "http://",
    "unix:///var/run/containerd/containerd.sock",
    "npipe:////./pipe/x",
    "/etc/kubernetes/pki",
    "relative/path",
    "/",
    "//",
    "/a/../b",
    "/a b",
    "registry.k8s.io",
    "registry.k8s.io/coredns",
    "reg:5000/x",
    "v1.37.1",
    "1.36.3",
    "v1.32.0",
    "v1.99.0",
    "v0.0.0",
    "stable-1",
    "latest",
    "v1.37.1-rc.1+build",
    "abcdef.0123456789abcdef",
    "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "system:bootstrappers:a",
    "1h30m",
    "0s",
    "-1h",
    "9999999h",
    "1.5h",
    "2562047h47m16.854775807s",
    "87600h",
    "RSA-2048",
    "ECDSA-P256",
    "RSA-9999",
    "Always",
    "NoSchedule",
    "all",
    "Swap",
    "cluster.local",
    "systemd",
    "cgroupfs",
    "secure-port",
    "authorization-mode",
    "node-cidr-mask-size",
    "24",
    "allocate-node-cidrs",
    "\u{feff}",
    "\0",
    "a\nb",
    "a: b",
    "- a",
    "#",
    "&a",
    "*a",
    "!a",
    "{",
    "[",
    "\"",
    "'",
    "%",
    "@",
    "`",
    "\u{85}",
    "\u{2028}",
    "\u{10ffff}",
    "=",
    "<<",
    "---",
    "...",
    "ClusterConfiguration",
];
const TAGS: &[&str] = &[
    "!!str", "!!int", "!!float", "!!bool", "!!null", "!!map", "!!seq", "!!binary", "!x", "!",
    "!<tag:a>",
];
const KINDS: [&ObjectSchema; 5] = [
    InitConfiguration::SCHEMA,
    ClusterConfiguration::SCHEMA,
    JoinConfiguration::SCHEMA,
    ResetConfiguration::SCHEMA,
    UpgradeConfiguration::SCHEMA,
];
/// Fields of the components that something here reads.
const COMPONENT_FIELDS: &[&str] = &[
    "cgroupDriver",
    "clusterDNS",
    "clusterDomain",
    "staticPodPath",
    "rotateCertificates",
    "authentication",
    "authorization",
    "healthzPort",
    "healthzBindAddress",
    "resolvConf",
    "failCgroupV1",
    "clusterCIDR",
    "mode",
    "conntrack",
    "featureGates",
    "clientConnection",
    "bindAddress",
    "containerRuntimeEndpoint",
    "shutdownGracePeriod",
    "imageMaximumGCAge",
    "logging",
    "x509",
    "clientCAFile",
    "anonymous",
    "webhook",
    "enabled",
    "kubeconfig",
    "maxPerCore",
    "unknown",
];

/// A file of one document or several.
pub(crate) fn file(choices: &mut Unstructured<'_>) -> Vec<u8> {
    let mut writer = Writer {
        text: String::new(),
        choices,
        anchors: 0,
    };
    // Where the choices end, the file ends.
    let _ = writer.documents();
    let mut text = writer.text;
    text.truncate(text.floor_char_boundary(LARGEST));
    text.into_bytes()
}

struct Writer<'a, 'b> {
    text: String,
    choices: &'a mut Unstructured<'b>,
    anchors: usize,
}

impl Writer<'_, '_> {
    fn documents(&mut self) -> Result<()> {
        if self.rarely()? {
            self.text.push('\u{feff}');
        }
        for _ in 0..self.choices.int_in_range(1..=7)? {
            self.text.push_str("---\n");
            self.document()?;
            if self.choices.is_empty() {
                break;
            }
        }
        Ok(())
    }

    fn document(&mut self) -> Result<()> {
        match self.choices.int_in_range(0..=9)? {
            0 => self.component("kubelet.config.k8s.io/v1beta1", "KubeletConfiguration"),
            1 => self.component("kubeproxy.config.k8s.io/v1alpha1", "KubeProxyConfiguration"),
            2 => {
                let kind = *self.choices.choose(TEXTS)?;
                self.component("example.com/v1", kind)
            }
            drawn => {
                // The first two are those that most of the program is about.
                let schema = KINDS[usize::from(drawn - 3_u8) % KINDS.len()];
                let version = if self.rarely()? { "v1beta3" } else { "v1beta4" };
                let _ = writeln!(
                    self.text,
                    "apiVersion: kubeadm.k8s.io/{version}\nkind: {}",
                    schema.name
                );
                self.object(schema, 0, DEPTH)
            }
        }
    }

    fn component(&mut self, version: &str, kind: &str) -> Result<()> {
        let _ = write!(self.text, "apiVersion: {version}\nkind: ");
        self.quoted(kind);
        self.text.push('\n');
        for _ in 0..self.choices.int_in_range(0..=8)? {
            let field = *self.choices.choose(COMPONENT_FIELDS)?;
            self.entry(field, 0, &mut |writer| writer.anything(1, 4))?;
        }
        Ok(())
    }

    fn object(&mut self, schema: &ObjectSchema, indent: usize, depth: usize) -> Result<()> {
        let fields = schema.all_fields();
        let mut written = 0;
        for _ in 0..self.choices.int_in_range(0..=fields.len().min(12))? {
            let field = self.choices.choose(&fields)?;
            if matches!(field.name, "apiVersion" | "kind") && !self.rarely()? {
                continue;
            }
            self.entry(field.name, indent, &mut |writer| {
                if writer.rarely()? {
                    return writer.anything(indent + 1, 3);
                }
                writer.shape(
                    field.shape,
                    field.format,
                    indent + 1,
                    depth.saturating_sub(1),
                )
            })?;
            written += 1;
        }
        if self.rarely()? {
            let _ = writeln!(
                self.text,
                "{:1$}<<: *a{2}",
                "",
                indent * 2,
                self.anchors.saturating_sub(1)
            );
        }
        if written == 0 && indent > 0 {
            let _ = writeln!(self.text, "{:1$}{{}}", "", indent * 2);
        }
        Ok(())
    }

    /// A key, and its value, which ends the line.
    fn entry(
        &mut self,
        key: &str,
        indent: usize,
        value: &mut dyn FnMut(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let _ = write!(self.text, "{:1$}", "", indent * 2);
        if self.rarely()? {
            self.quoted(key);
        } else {
            self.text.push_str(key);
        }
        self.text.push(':');
        self.properties()?;
        value(self)
    }

    /// An anchor or a tag, rarely.
    fn properties(&mut self) -> Result<()> {
        if self.rarely()? {
            let _ = write!(self.text, " &a{}", self.anchors);
            self.anchors += 1;
        }
        if self.rarely()? {
            let tag = self.choices.choose(TAGS)?;
            let _ = write!(self.text, " {tag}");
        }
        Ok(())
    }

    fn shape(&mut self, shape: &Shape, format: Format, indent: usize, depth: usize) -> Result<()> {
        if self.anchors > 0 && self.rarely()? {
            let anchor = self.choices.int_in_range(0..=self.anchors - 1)?;
            let _ = writeln!(self.text, " *a{anchor}");
            return Ok(());
        }
        match shape {
            Shape::Bool => {
                let word = *self.choices.choose(&["true", "false", "yes", "Off", "~"])?;
                let _ = writeln!(self.text, " {word}");
            }
            Shape::Integer => {
                let number = *self.choices.choose(&[
                    "0",
                    "1",
                    "6443",
                    "65535",
                    "6443.0",
                    "2147483648",
                    "-1",
                    "0x10",
                    "1e3",
                ])?;
                let _ = writeln!(self.text, " {number}");
            }
            Shape::Duration => {
                let text = *self.choices.choose(&[
                    "1h",
                    "0s",
                    "87600h",
                    "1m30.5s",
                    "-1h",
                    "1d",
                    "2562047h",
                    "99999999999h",
                ])?;
                let _ = writeln!(self.text, " {text}");
            }
            Shape::Timestamp => {
                let text = *self.choices.choose(&[
                    "2030-01-31T12:00:00Z",
                    "2026-11-22",
                    "9999-12-31T23:59:59Z",
                    "0001-01-01T00:00:00Z",
                    "now",
                ])?;
                let _ = writeln!(self.text, " {text}");
            }
            Shape::Choice(words) => {
                let word = *self.choices.choose(words)?;
                let _ = writeln!(self.text, " {word}");
            }
            Shape::Text | Shape::Secret(_) => self.text_value(format)?,
            Shape::List(inner) if depth > 0 => {
                self.text.push('\n');
                let count = self.choices.int_in_range(0..=3)?;
                for _ in 0..count {
                    let _ = write!(self.text, "{:1$}-", "", indent * 2);
                    self.properties()?;
                    match inner {
                        Shape::Object(schema) => {
                            self.text.push('\n');
                            self.object(schema, indent + 1, depth - 1)?;
                        }
                        inner => self.shape(inner, format, indent + 1, depth - 1)?,
                    }
                }
                if count == 0 {
                    let _ = writeln!(self.text, "{:1$}[]", "", indent * 2);
                }
            }
            Shape::Map(inner) if depth > 0 => {
                self.text.push('\n');
                for _ in 0..self.choices.int_in_range(1..=3)? {
                    let key = *self.choices.choose(TEXTS)?;
                    let _ = write!(self.text, "{:1$}", "", indent * 2);
                    self.quoted(key);
                    self.text.push(':');
                    self.shape(inner, format, indent + 1, depth - 1)?;
                }
            }
            Shape::Object(schema) if depth > 0 => {
                self.text.push('\n');
                self.object(schema, indent, depth - 1)?;
            }
            _ => self.anything(indent, depth.min(3))?,
        }
        Ok(())
    }

    /// A text of the form that the field asks for, or another one.
    fn text_value(&mut self, format: Format) -> Result<()> {
        let fitting: &[&str] = match format {
            Format::AbsolutePath => &["/etc/kubernetes/pki", "/"],
            Format::IpAddress => &["10.0.0.1", "fd00::1", "0.0.0.0"],
            Format::HostPort | Format::HostAndPort => {
                &["10.0.0.1:6443", "example.com:6443", "[fd00::1]:1"]
            }
            Format::DnsSubdomain | Format::NodeName => &["cluster.local", "node-1", "a"],
            Format::ServiceSubnet => &[
                "10.96.0.0/12",
                "fd00::/108",
                "10.96.0.0/12,fd00::/108",
                "10.0.0.0/28",
            ],
            Format::PodSubnet => &[
                "10.244.0.0/16",
                "fd01::/48",
                "10.244.0.0/16,fd01::/48",
                "10.0.0.0/28",
            ],
            Format::KubernetesVersion => &["v1.37.1", "v1.36.3", "v1.32.0", "1.35.0", "stable-1"],
            Format::CriSocket => &["unix:///run/containerd/containerd.sock", "/run/crio.sock"],
            Format::Url => &["https://10.0.0.1:2379", "http://a"],
            Format::BootstrapToken => &["abcdef.0123456789abcdef"],
            _ => TEXTS,
        };
        let texts = if self.rarely()? { TEXTS } else { fitting };
        let text = *self.choices.choose(texts)?;
        self.text.push(' ');
        match self.choices.int_in_range(0..=7)? {
            0..=3 => self.quoted(text),
            4..=5 => self.text.push_str(text),
            6 => {
                let _ = write!(self.text, "'{}'", text.replace('\'', "''"));
            }
            _ => {
                let drawn: String = self.choices.arbitrary()?;
                self.quoted(&drawn);
            }
        }
        self.text.push('\n');
        Ok(())
    }

    fn anything(&mut self, indent: usize, depth: usize) -> Result<()> {
        self.text.push(' ');
        self.flow(depth)?;
        if self.rarely()? {
            // A literal, or a line that does not belong.
            let _ = write!(self.text, "\n{:1$}|\n", "", indent * 2);
        }
        self.text.push('\n');
        Ok(())
    }

    fn flow(&mut self, depth: usize) -> Result<()> {
        if self.rarely()? {
            self.properties()?;
            self.text.push(' ');
        }
        match self.choices.int_in_range(0..=7)? {
            0 | 1 if depth > 0 => {
                self.text.push('[');
                for _ in 0..self.choices.int_in_range(0..=4)? {
                    self.flow(depth - 1)?;
                    self.text.push_str(", ");
                }
                self.text.push(']');
            }
            2 | 3 if depth > 0 => {
                self.text.push('{');
                for _ in 0..self.choices.int_in_range(0..=4)? {
                    let known = self.choices.arbitrary()?;
                    let keys = if known { COMPONENT_FIELDS } else { TEXTS };
                    let key = *self.choices.choose(keys)?;
                    self.quoted(key);
                    self.text.push_str(": ");
                    self.flow(depth - 1)?;
                    self.text.push_str(", ");
                }
                self.text.push('}');
            }
            4 if self.anchors > 0 => {
                let anchor = self.choices.int_in_range(0..=self.anchors - 1)?;
                let _ = write!(self.text, "*a{anchor} ");
            }
            5 => {
                let number: i128 = self.choices.arbitrary()?;
                let _ = write!(self.text, "{number}");
            }
            6 => {
                let number: f64 = self.choices.arbitrary()?;
                let _ = write!(self.text, "{number:e}");
            }
            _ => {
                let text = *self.choices.choose(TEXTS)?;
                if self.choices.arbitrary()? {
                    self.text.push_str(text);
                } else {
                    self.quoted(text);
                }
            }
        }
        Ok(())
    }

    fn quoted(&mut self, text: &str) {
        self.text.push('"');
        for character in text.chars() {
            match character {
                '"' | '\\' => self.text.extend(['\\', character]),
                ' '..='~' => self.text.push(character),
                other => {
                    let _ = write!(self.text, "\\U{:08x}", u32::from(other));
                }
            }
        }
        self.text.push('"');
    }

    fn rarely(&mut self) -> Result<bool> {
        self.choices.ratio(1, 16)
    }
}
