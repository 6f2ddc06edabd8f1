//! Every rule by which a file is validated, so that each finding says which one it is about.
//!
//! A finding cannot be made without its rule. So the list is whole, and a test can ask whether
//! each rule has an example that breaks it.

/// Defines the rules with their names for machines.
macro_rules! rules {
    ($($(#[$documentation:meta])* $rule:ident => $name:literal, $ground:ident;)*) => {
        /// A rule that a finding is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $($(#[$documentation])* $rule,)*
        }

        impl Rule {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$rule),*];

            /// The name for machines, in lower case with dashes. It stays the same.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$rule => $name,)*
                }
            }

            /// What it takes to check the rule.
            pub const fn ground(self) -> Ground {
                match self {
                    $(Self::$rule => Ground::$ground,)*
                }
            }
        }
    };
}

/// What it takes to check a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// The file alone.
    File,
    /// The host: what lies on it, or what it is connected to.
    Host,
    /// The tree of phases, which is no part of the documents.
    Phases,
    /// A fault of this program, which no file is known to bring about.
    Program,
}

rules! {
    // The bytes and the YAML.
    /// A file has at most four MiB.
    FileSize => "file-size", File;
    /// A file is UTF-8.
    Utf8 => "utf-8", File;
    /// A file is YAML or JSON.
    YamlSyntax => "yaml-syntax", File;
    /// An alias has an anchor before it.
    UnknownAnchor => "unknown-anchor", File;
    /// An alias is not part of what it names.
    AliasOfItself => "alias-of-itself", File;
    /// A file has a bounded number of keys and values, and its aliases stand for a bounded number more.
    TooManyValues => "too-many-values", File;
    /// A key stands in a map once.
    DuplicateKey => "duplicate-key", File;
    /// A merge key takes maps.
    MergeKey => "merge-key", File;
    /// A key is a text.
    KeyType => "key-type", File;

    // The documents.
    /// A document is a map.
    DocumentType => "document-type", File;
    /// A document has its version and kind.
    DocumentKindMissing => "document-kind-missing", File;
    /// Version and kind are texts.
    DocumentKindType => "document-kind-type", File;
    /// A kind stands in a file once.
    DuplicateKind => "duplicate-kind", File;
    /// A version that is read, but not the newest.
    OlderApiVersion => "older-api-version", File;
    /// A version of old that is not read any more.
    OutdatedApiVersion => "outdated-api-version", File;
    /// A version that never was.
    UnknownApiVersion => "unknown-api-version", File;
    /// A kind of kubeadm's group is one of those that it has.
    UnknownKind => "unknown-kind", File;
    /// The configuration of a component is of the version that is read.
    ComponentApiVersion => "component-api-version", File;
    /// A document without a group is not for kubeadm.
    KindWithoutGroup => "kind-without-group", File;
    /// A document of another group is left out.
    ForeignKind => "foreign-kind", File;
    /// What was found good can be read.
    Unreadable => "unreadable", Program;

    // The fields and their types.
    /// An object has only the fields of its kind.
    UnknownField => "unknown-field", File;
    /// A document has no metadata.
    Metadata => "metadata", File;
    /// A field is in the version of the document.
    FieldOfLaterVersion => "field-of-later-version", File;
    /// Flags are a map in v1beta3.
    ArgumentsOfOlderVersion => "arguments-of-older-version", File;
    /// The configuration of a component has only the fields that the component knows.
    UnknownComponentField => "unknown-component-field", File;
    /// A field of a component's configuration has the value that kubeadm recommends.
    RecommendedComponentValue => "recommended-component-value", File;
    /// A field without which an object means nothing is set.
    RequiredField => "required-field", File;
    /// A field that must be set is not empty.
    EmptyField => "empty-field", File;
    /// An item of a list is not empty.
    EmptyItem => "empty-item", File;
    /// A value is of the type of its field.
    ValueType => "value-type", File;
    /// A value is one of those that its field may have.
    Choice => "choice", File;
    /// A number is whole.
    WholeNumber => "whole-number", File;
    /// A number is in its range.
    NumberRange => "number-range", File;
    /// A duration is one of Go's.
    Duration => "duration", File;
    /// A point in time is one of RFC 3339.
    Timestamp => "timestamp", File;

    // Single texts.
    /// A path begins with a slash.
    AbsolutePath => "absolute-path", File;
    /// An address is one of IPv4 or IPv6.
    IpAddress => "ip-address", File;
    /// A port is a number from 1 to 65535.
    Port => "port", File;
    /// A host is not a URL.
    HostIsUrl => "host-is-url", File;
    /// A host is a name or address with a port or without.
    Host => "host", File;
    /// A host has its port.
    HostPort => "host-port", File;
    /// A DNS name is one of RFC 1123.
    DnsName => "dns-name", File;
    /// An alternative name is an address, a name or a wildcard name.
    AlternativeName => "alternative-name", File;
    /// A network is a CIDR.
    Network => "network", File;
    /// Of two networks each is of another address family.
    NetworkFamilies => "network-families", File;
    /// A network has the addresses that it needs.
    NetworkTooSmall => "network-too-small", File;
    /// A service network is not larger than the API server takes.
    ServiceNetworkTooLarge => "service-network-too-large", File;
    /// An image repository is a registry with a path.
    ImageRepository => "image-repository", File;
    /// A version of Kubernetes is a version or the label of one.
    KubernetesVersion => "kubernetes-version", File;
    /// The socket of the container runtime has a scheme that the kubelet knows.
    CriSocketScheme => "cri-socket-scheme", File;
    /// The socket of the container runtime is a path or a URL.
    CriSocket => "cri-socket", File;
    /// A URL has its scheme.
    Url => "url", File;
    /// A quantity is one of Kubernetes.
    Quantity => "quantity", File;
    /// A group of a bootstrap token is one that it may have.
    TokenGroup => "token-group", File;
    /// A hash of a CA is `sha256:` and 64 digits.
    CaHash => "ca-hash", File;
    /// A bootstrap token has its form.
    BootstrapToken => "bootstrap-token", File;
    /// A certificate key is of hexadecimal digits.
    CertificateKeyDigits => "certificate-key-digits", File;
    /// A certificate key has 64 digits.
    CertificateKeyLength => "certificate-key-length", File;

    // More than one field.
    /// A token has either `ttl` or `expires`.
    TokenTtlAndExpires => "token-ttl-and-expires", File;
    /// No token has `expires` alone.
    TokenExpires => "token-expires", File;
    /// A token with groups may authenticate.
    TokenUsages => "token-usages", File;
    /// The patches of an upgrade are named by an absolute path.
    UpgradePatches => "upgrade-patches", File;
    /// The socket of the container runtime has a scheme.
    CriSocketWithoutScheme => "cri-socket-without-scheme", File;
    /// `all` stands alone among the checks to ignore.
    IgnoreAllAlone => "ignore-all-alone", File;
    /// Other nodes reach the advertise address.
    UnreachableAddress => "unreachable-address", File;
    /// An item of a static pod has the fields without which the kubelet refuses it.
    StaticPodItem => "static-pod-item", File;
    /// There is one kind of etcd.
    EtcdLocalAndExternal => "etcd-local-and-external", File;
    /// A client certificate of etcd has its key, and a key its certificate.
    EtcdCertificateAndKey => "etcd-certificate-and-key", File;
    /// With a client certificate of etcd stands its CA.
    EtcdCa => "etcd-ca", File;
    /// An external etcd has members.
    EtcdMembers => "etcd-members", File;
    /// Members of an etcd with certificates are reached by TLS.
    EtcdInsecureMember => "etcd-insecure-member", File;
    /// The mask of a node's network is a number.
    NodeMask => "node-mask", File;
    /// A pod network has room for that of a node.
    PodNetworkTooSmall => "pod-network-too-small", File;
    /// A pod network has room for no more nodes than the controller manager can track.
    PodNetworkTooLarge => "pod-network-too-large", File;
    /// A network is not of the site-local range.
    SiteLocalNetwork => "site-local-network", File;
    /// A certificate is not valid for longer than kubeadm recommends.
    LongValidity => "long-validity", File;
    /// A certificate is valid at all.
    NeverValid => "never-valid", File;
    /// A CA outlives the certificates that it signs.
    CertificateOutlivesCa => "certificate-outlives-ca", File;
    /// The CA certificate of a joining node is a `.crt`.
    JoinCaName => "join-ca-name", File;
    /// A joining node knows how to find the cluster.
    JoinDiscovery => "join-discovery", File;
    /// A joining node knows one way to find the cluster.
    JoinDiscoveries => "join-discoveries", File;
    /// A token to find the cluster by comes with the endpoint.
    JoinToken => "join-token", File;
    /// A joining node knows how to trust the cluster.
    JoinTrust => "join-trust", File;
    /// A file to find the cluster by is named.
    JoinFile => "join-file", File;
    /// A file to find the cluster by is fetched by HTTPS.
    JoinFileUrl => "join-file-url", File;

    // What the whole leads to.
    /// A field or value is one that the minor knows.
    LaterMinor => "later-minor", File;
    /// A feature gate is one that kubeadm of the minor has.
    FeatureGate => "feature-gate", File;
    /// The version of Kubernetes is one that this program can make.
    SupportedVersion => "supported-version", File;
    /// The label of a version leads to a minor that this program can make.
    VersionLabel => "version-label", File;
    /// A certificate can be valid for the period.
    ValidityPeriod => "validity-period", File;
    /// The networks of pods and services are apart.
    OverlappingNetworks => "overlapping-networks", File;
    /// No node is in a network of pods or services.
    NodeInNetwork => "node-in-network", File;
    /// A flag is one that the component shows in its help.
    UnknownFlag => "unknown-flag", File;
    /// A phase to be skipped is one that there is.
    UnknownPhase => "unknown-phase", Phases;
    /// A patch of a manifest can be applied.
    Patch => "patch", Host;
    /// There is an address to announce.
    DefaultRoute => "default-route", Host;
    /// What must be looked up on the host was found.
    HostFact => "host-fact", Host;
    /// A path that must be there is there.
    MissingPath => "missing-path", Host;
    /// The name of the endpoint resolves.
    EndpointResolves => "endpoint-resolves", Host;
}
