//! Rules that need more than one field of a document.
//!
//! They walk the tree rather than the typed documents, so that they are checked and reported
//! together with everything else that is wrong. A field that was found bad on its own is skipped.

use crate::check::join;
use crate::duration::GoDuration;
use crate::finding::{Finding, Findings, Severity};
use crate::format::{is_reachable, parse_ip};
use crate::pod_networks::{self, pod_network_faults, site_local_networks};
use crate::rule::Rule;
use crate::source::Span;
use crate::tree::{Node, NodeKind};
use crate::url::url_scheme;
use rinit_plan::defaults;

/// What kubeadm makes valid by default and warns of when it is exceeded.
const LEAF_VALIDITY: GoDuration = GoDuration::from_seconds(defaults::CERTIFICATE_SECONDS);
const CA_VALIDITY: GoDuration = GoDuration::from_seconds(defaults::CA_CERTIFICATE_SECONDS);

/// Validates a document of kubeadm's group.
pub(crate) fn document(root: &Node, kind: &str, findings: &mut Findings) {
    let mut validation = Validation { findings };
    match kind {
        "InitConfiguration" => validation.init(root),
        "ClusterConfiguration" => validation.cluster(root),
        "JoinConfiguration" => validation.join(root),
        "ResetConfiguration" => validation.ignored_checks(root, ""),
        "UpgradeConfiguration" => {
            for command in ["apply", "node", "plan"] {
                if let Some(node) = root.get(command) {
                    validation.ignored_checks(node, command);
                    validation.patches(node, command);
                }
            }
        }
        _ => {}
    }
}

/// The text of a field, unless it is empty.
fn text<'node>(node: &'node Node, name: &str) -> Option<&'node str> {
    node.get(name)
        .and_then(Node::text)
        .filter(|text| !text.is_empty())
}

/// Whether a field has a value, be it of the right form or not.
fn is_set(node: &Node, name: &str) -> bool {
    node.get(name).is_some_and(|value| value.text() != Some(""))
}

/// Whether a field is a list without items, or not there at all.
fn is_empty_list(node: &Node, name: &str) -> bool {
    node.get(name)
        .is_none_or(|value| matches!(&value.kind, NodeKind::List(items) if items.is_empty()))
}

fn span(node: &Node, name: &str) -> Span {
    node.entry(name).map_or(node.span, |entry| entry.value.span)
}

fn key_span(node: &Node, name: &str) -> Span {
    node.entry(name).map_or(node.span, |entry| entry.key_span)
}

struct Validation<'findings> {
    findings: &'findings mut Findings,
}

impl Validation<'_> {
    fn error(&mut self, rule: Rule, span: Span, path: &str, message: &str, hint: &str) {
        self.findings.push(
            Finding::error(rule, span, message)
                .with_path(path)
                .with_hint(hint),
        );
    }

    fn warn(&mut self, rule: Rule, span: Span, path: &str, message: &str) {
        self.findings
            .push(Finding::new(rule, Severity::Warning, span, message).with_path(path));
    }

    fn init(&mut self, root: &Node) {
        if let Some(tokens) = root.get("bootstrapTokens") {
            for (index, token) in tokens.items().iter().enumerate() {
                self.bootstrap_token(token, &format!("bootstrapTokens[{index}]"));
            }
        }
        self.node(root);
        if let Some(endpoint) = root.get("localAPIEndpoint") {
            self.advertise_address(endpoint, "localAPIEndpoint");
        }
    }

    fn bootstrap_token(&mut self, token: &Node, path: &str) {
        if token.get("token").and_then(Node::text) == Some("") {
            self.error(
                Rule::BootstrapToken,
                span(token, "token"),
                &join(path, "token"),
                "must not be empty",
                "leave it out to get one",
            );
        }
        if token.get("ttl").is_some() && token.get("expires").is_some() {
            let message = "`ttl` and `expires` exclude each other";
            self.error(
                Rule::TokenTtlAndExpires,
                key_span(token, "expires"),
                &join(path, "expires"),
                message,
                "keep one of the two",
            );
        }
        if token.get("ttl").is_none() && token.get("expires").is_some() {
            // kubeadm fills in `ttl` and then finds both.
            self.error(
                Rule::TokenExpires,
                key_span(token, "expires"),
                &join(path, "expires"),
                "no kubeadm takes it, for each fills in a `ttl` beside it",
                "write `ttl` with the life of the token instead, such as `ttl: 24h`",
            );
        }
        let usages = token.get("usages").map(Node::items).unwrap_or_default();
        let authenticates = usages.is_empty()
            || usages
                .iter()
                // Another word is a mistake of its own, and may have been meant for it.
                .any(|usage| usage.text() != Some("signing"));
        if !authenticates {
            // kubeadm fills in its own group where there is none, so this is never without groups.
            let message = "without `authentication` among its usages a token cannot have groups";
            let hint = "add `authentication` to the usages; kubeadm gives each token a group";
            self.error(
                Rule::TokenUsages,
                key_span(token, "usages"),
                &join(path, "usages"),
                message,
                hint,
            );
        }
    }

    fn node(&mut self, root: &Node) {
        if let Some(node) = root.get("nodeRegistration") {
            self.ignored_checks(node, "nodeRegistration");
            self.cri_socket(node, "nodeRegistration");
        }
    }

    /// For an upgrade, and only there, kubeadm wants an absolute path.
    fn patches(&mut self, node: &Node, path: &str) {
        let Some(patches) = node
            .get("patches")
            .filter(|patches| patches.entries().is_some())
        else {
            return;
        };
        let is_absolute = text(patches, "directory").map(|directory| directory.starts_with('/'));
        if !is_absolute.unwrap_or_else(|| is_set(patches, "directory")) {
            let path = join(&join(path, "patches"), "directory");
            let message = "must be an absolute path";
            self.error(
                Rule::UpgradePatches,
                span(patches, "directory"),
                &path,
                message,
                "write the path from `/` on",
            );
        }
    }

    fn cri_socket(&mut self, node: &Node, path: &str) {
        if text(node, "criSocket").is_some_and(|socket| socket.starts_with('/')) {
            let message = "the socket has no scheme; `unix://` is put in front of it";
            self.warn(
                Rule::CriSocketWithoutScheme,
                span(node, "criSocket"),
                &join(path, "criSocket"),
                message,
            );
        }
    }

    fn ignored_checks(&mut self, node: &Node, path: &str) {
        let Some(list) = node.get("ignorePreflightErrors") else {
            return;
        };
        let names: Vec<String> = list
            .items()
            .iter()
            .filter_map(|item| item.text())
            .map(str::to_ascii_lowercase)
            .collect();
        if names.iter().any(|name| name == "all") && names.iter().any(|name| name != "all") {
            let path = join(path, "ignorePreflightErrors");
            let message = "`all` leaves no place for single checks";
            self.error(
                Rule::IgnoreAllAlone,
                key_span(node, "ignorePreflightErrors"),
                &path,
                message,
                "keep `all` or the single checks",
            );
        }
    }

    fn advertise_address(&mut self, endpoint: &Node, path: &str) {
        let Some(address) = text(endpoint, "advertiseAddress").and_then(parse_ip) else {
            return;
        };
        // Unspecified and loopback addresses stand for one that is looked for on the host.
        if !is_reachable(address) {
            let path = join(path, "advertiseAddress");
            let message = format!("`{address}` is no address that other nodes can reach");
            let hint = "give a unicast address of this host, or leave it out to have it detected";
            self.error(
                Rule::UnreachableAddress,
                span(endpoint, "advertiseAddress"),
                &path,
                &message,
                hint,
            );
        }
    }

    fn cluster(&mut self, root: &Node) {
        if let Some(etcd) = root.get("etcd") {
            self.etcd(etcd);
        }
        self.pod_networks(root);
        self.site_local(root);
        self.validity(root);
        for component in ["apiServer", "controllerManager", "scheduler"] {
            let Some(node) = root.get(component) else {
                continue;
            };
            self.named_items(
                node,
                &join(component, "extraVolumes"),
                "extraVolumes",
                &["name", "hostPath", "mountPath"],
            );
            self.named_items(node, &join(component, "extraEnvs"), "extraEnvs", &["name"]);
        }
    }

    /// Items that kubeadm takes without these fields, but no API server or kubelet does.
    fn named_items(&mut self, node: &Node, path: &str, list: &str, fields: &[&str]) {
        for (index, item) in node
            .get(list)
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .enumerate()
        {
            for field in fields
                .iter()
                .filter(|field| item.entries().is_some() && !is_set(item, field))
            {
                let path = format!("{path}[{index}].{field}");
                self.warn(
                    Rule::StaticPodItem,
                    item.span,
                    &path,
                    "is not set, so the static pod will be refused",
                );
            }
        }
    }

    fn etcd(&mut self, etcd: &Node) {
        if etcd.get("local").is_some() && etcd.get("external").is_some() {
            let message = "`etcd.local` and `etcd.external` exclude each other";
            self.error(
                Rule::EtcdLocalAndExternal,
                key_span(etcd, "external"),
                "etcd.external",
                message,
                "keep one of the two",
            );
        }
        if let Some(local) = etcd.get("local") {
            self.named_items(local, "etcd.local.extraEnvs", "extraEnvs", &["name"]);
        }
        let Some(external) = etcd.get("external") else {
            return;
        };
        let [ca, certificate, key] =
            ["caFile", "certFile", "keyFile"].map(|name| is_set(external, name));
        let external_span = key_span(etcd, "external");
        for (set, set_name, missing) in [
            (certificate && !key, "certFile", "keyFile"),
            (key && !certificate, "keyFile", "certFile"),
        ] {
            if set {
                let message = format!("`{set_name}` is set without `{missing}`");
                self.error(
                    Rule::EtcdCertificateAndKey,
                    external_span,
                    &format!("etcd.external.{missing}"),
                    &message,
                    "set both or neither",
                );
            }
        }
        if certificate && key && !ca {
            let message = "`certFile` and `keyFile` are set without `caFile`";
            self.error(
                Rule::EtcdCa,
                external_span,
                "etcd.external.caFile",
                message,
                "set the CA certificate of etcd as well",
            );
        }
        let endpoints = external
            .get("endpoints")
            .map(Node::items)
            .unwrap_or_default();
        if external.entries().is_some() && is_empty_list(external, "endpoints") {
            let hint = "give the URLs of the etcd members, as `- https://192.0.2.1:2379`";
            self.error(
                Rule::EtcdMembers,
                external_span,
                "etcd.external.endpoints",
                "must name at least one member",
                hint,
            );
        }
        if ca || certificate || key {
            for (index, endpoint) in endpoints.iter().enumerate() {
                let insecure = endpoint.text().is_some_and(|url| {
                    url_scheme(url).is_some_and(|scheme| !scheme.eq_ignore_ascii_case("https"))
                });
                if insecure {
                    let path = format!("etcd.external.endpoints[{index}]");
                    let message = "must be an `https://` URL, because a certificate is set";
                    self.error(
                        Rule::EtcdInsecureMember,
                        endpoint.span,
                        &path,
                        message,
                        "use the TLS port of the member",
                    );
                }
            }
        }
    }

    fn pod_networks(&mut self, root: &Node) {
        let Some(networking) = root.get("networking") else {
            return;
        };
        let argument = |name: &str| last_argument(root, name).map(|(value, _)| value.to_owned());
        for fault in
            pod_network_faults(text(networking, "podSubnet").unwrap_or_default(), &argument)
        {
            let place = match last_argument(root, fault.argument) {
                Some((_, place)) if fault.path == pod_networks::ARGUMENTS => place,
                _ => span(networking, "podSubnet"),
            };
            let hint = fault.problem.hint.unwrap_or_default();
            self.error(fault.rule, place, fault.path, &fault.problem.message, &hint);
        }
    }

    fn site_local(&mut self, root: &Node) {
        let Some(networking) = root.get("networking") else {
            return;
        };
        for name in ["serviceSubnet", "podSubnet"] {
            for message in site_local_networks(text(networking, name).unwrap_or_default()) {
                let path = join("networking", name);
                self.warn(
                    Rule::SiteLocalNetwork,
                    span(networking, name),
                    &path,
                    &message,
                );
            }
        }
    }

    fn validity(&mut self, root: &Node) {
        const LEAF: &str = "certificateValidityPeriod";
        const CA: &str = "caCertificateValidityPeriod";
        let period = |name: &str| text(root, name).and_then(|text| text.parse::<GoDuration>().ok());
        for (name, recommended) in [(LEAF, LEAF_VALIDITY), (CA, CA_VALIDITY)] {
            let Some(period) = period(name) else { continue };
            if period > recommended {
                let message = format!("{period} is longer than the recommended {recommended}");
                self.warn(Rule::LongValidity, span(root, name), name, &message);
            }
            if period.nanoseconds() <= 0 {
                self.warn(
                    Rule::NeverValid,
                    span(root, name),
                    name,
                    "certificates would never be valid",
                );
            }
        }
        let (leaf, ca) = (period(LEAF), period(CA));
        if leaf.unwrap_or(LEAF_VALIDITY) > ca.unwrap_or(CA_VALIDITY) {
            let name = if leaf.is_some() { LEAF } else { CA };
            self.warn(
                Rule::CertificateOutlivesCa,
                span(root, name),
                name,
                "certificates would outlive the CA that signs them",
            );
        }
    }

    fn join(&mut self, root: &Node) {
        self.node(root);
        if let Some(endpoint) = root
            .get("controlPlane")
            .and_then(|node| node.get("localAPIEndpoint"))
        {
            self.advertise_address(endpoint, "controlPlane.localAPIEndpoint");
        }
        if text(root, "caCertPath").is_some_and(|path| path.strip_suffix(".crt").is_none()) {
            let message = "the path of the CA certificate must end in `.crt`";
            self.error(
                Rule::JoinCaName,
                span(root, "caCertPath"),
                "caCertPath",
                message,
                "name the certificate file `ca.crt`",
            );
        }
        let discovery = root.get("discovery");
        let method = |name: &str| discovery.and_then(|node| node.get(name));
        let at = key_span(root, "discovery");
        match (method("bootstrapToken"), method("file")) {
            (None, None) => {
                let hint = "set `discovery.bootstrapToken` or `discovery.file`";
                self.error(
                    Rule::JoinDiscovery,
                    at,
                    "discovery",
                    "there is no way to find the cluster",
                    hint,
                );
            }
            (Some(_), Some(_)) => {
                let message = "`bootstrapToken` and `file` exclude each other";
                self.error(
                    Rule::JoinDiscoveries,
                    at,
                    "discovery",
                    message,
                    "keep one of the two",
                );
            }
            _ => {}
        }
        if let Some(token) =
            method("bootstrapToken").filter(|node| matches!(node.kind, NodeKind::Map(_)))
        {
            self.token_discovery(token);
        }
        if let Some(file) = method("file").filter(|node| matches!(node.kind, NodeKind::Map(_))) {
            self.file_discovery(file);
        }
    }

    fn token_discovery(&mut self, token: &Node) {
        const PATH: &str = "discovery.bootstrapToken";
        for (name, hint) in [
            (
                "token",
                "`kubeadm token create` prints one on the control plane",
            ),
            (
                "apiServerEndpoint",
                "write the `host:port` of the control plane",
            ),
        ] {
            if token.get(name).is_none_or(|node| node.text() == Some("")) {
                self.error(
                    Rule::JoinToken,
                    token.span,
                    &join(PATH, name),
                    "must be set",
                    hint,
                );
            }
        }
        let unsafe_join = token
            .get("unsafeSkipCAVerification")
            .is_some_and(|node| !matches!(node.kind, NodeKind::Bool(false)));
        if !unsafe_join && is_empty_list(token, "caCertHashes") {
            let hint = "give the hash that `kubeadm token create --print-join-command` prints, or set \
                        `unsafeSkipCAVerification: true`";
            self.error(
                Rule::JoinTrust,
                token.span,
                &join(PATH, "caCertHashes"),
                "must be set to trust the cluster",
                hint,
            );
        }
    }

    fn file_discovery(&mut self, file: &Node) {
        const PATH: &str = "discovery.file.kubeConfigPath";
        match text(file, "kubeConfigPath") {
            None if is_set(file, "kubeConfigPath") => {}
            None => self.error(
                Rule::JoinFile,
                file.span,
                PATH,
                "must be set",
                "give the path of a kubeconfig file",
            ),
            Some(path) => {
                let scheme = path.split_once("://").map(|(scheme, _)| scheme);
                if scheme.is_some_and(|scheme| !matches!(scheme, "https" | "file")) {
                    let hint = "give a path or an `https://` URL";
                    self.error(
                        Rule::JoinFileUrl,
                        span(file, "kubeConfigPath"),
                        PATH,
                        "a URL must be an `https://` one",
                        hint,
                    );
                }
            }
        }
    }
}

/// The last value of a flag of the controller manager, and its place.
fn last_argument<'root>(root: &'root Node, name: &str) -> Option<(&'root str, Span)> {
    let arguments = root.get("controllerManager")?.get("extraArgs")?.items();
    let argument = arguments
        .iter()
        .rev()
        .find(|argument| text(argument, "name") == Some(name))?;
    let value = argument
        .get("value")
        .and_then(Node::text)
        .unwrap_or_default();
    Some((value, span(argument, "value")))
}
