//! The documents of `kubeadm.k8s.io/v1beta4`, field by field.
//!
//! This is the one list of fields: the structs, the schema, the reader and the writer come from
//! it. Nothing here has a default; a field that is not in the file is `None` or empty. The names
//! and the rules for leaving a field out are those of kubeadm's Go types as of Kubernetes 1.37.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::duration::GoDuration;
use crate::format::{Count, Format};
use crate::schema::{choices, objects};
use crate::secret::{BootstrapToken as Token, CertificateKey};
use crate::timestamp::Timestamp;

choices! {
    /// The kind of key pair for certificates that are generated.
    pub enum EncryptionAlgorithm {
        /// RSA, 2048 bits.
        Rsa2048 = "RSA-2048",
        /// RSA, 3072 bits.
        Rsa3072 = "RSA-3072",
        /// RSA, 4096 bits.
        Rsa4096 = "RSA-4096",
        /// ECDSA on the curve P-256.
        EcdsaP256 = "ECDSA-P256",
        /// ECDSA on the curve P-384.
        EcdsaP384 = "ECDSA-P384",
    }

    /// When the images of the control plane are pulled.
    pub enum ImagePullPolicy {
        /// Each time.
        Always = "Always",
        /// Unless the runtime has them.
        IfNotPresent = "IfNotPresent",
        /// Never.
        Never = "Never",
    }

    /// What the kubelet expects to find at a path of the host.
    pub enum HostPathType {
        /// A directory, made if nothing is there.
        DirectoryOrCreate = "DirectoryOrCreate",
        /// A directory.
        Directory = "Directory",
        /// A file, made if nothing is there.
        FileOrCreate = "FileOrCreate",
        /// A file.
        File = "File",
        /// A Unix socket.
        Socket = "Socket",
        /// A character device.
        CharDevice = "CharDevice",
        /// A block device.
        BlockDevice = "BlockDevice",
    }

    /// What a taint does to pods that do not tolerate it.
    pub enum TaintEffect {
        /// They are not scheduled here.
        NoSchedule = "NoSchedule",
        /// They are scheduled here if there is no other place.
        PreferNoSchedule = "PreferNoSchedule",
        /// They are not scheduled here, and those that run are evicted.
        NoExecute = "NoExecute",
    }

    /// What a bootstrap token may be used for.
    pub enum TokenUsage {
        /// Signing the `cluster-info` ConfigMap.
        Signing = "signing",
        /// Authentication against the API server.
        Authentication = "authentication",
    }

    /// A flag of umount2(2) for `kubeadm reset`.
    pub enum UnmountFlag {
        /// `MNT_FORCE`.
        Force = "MNT_FORCE",
        /// `MNT_DETACH`.
        Detach = "MNT_DETACH",
        /// `MNT_EXPIRE`.
        Expire = "MNT_EXPIRE",
        /// `UMOUNT_NOFOLLOW`.
        NoFollow = "UMOUNT_NOFOLLOW",
    }
}

objects! {
    /// What only the first control-plane node needs to know.
    pub struct InitConfiguration {
        /// The bootstrap tokens to make.
        bootstrap_tokens: Vec<BootstrapToken> = "bootstrapTokens", IfSet;
        /// Whether to show what would be done instead of doing it.
        dry_run: Option<bool> = "dryRun", IfNotZero;
        /// How this node registers with the cluster.
        node_registration: NodeRegistrationOptions = "nodeRegistration", Always;
        /// Where the API server of this node is reached.
        local_api_endpoint: ApiEndpoint = "localAPIEndpoint", Always;
        /// The key that encrypts the certificates uploaded to the cluster.
        certificate_key: Option<CertificateKey> = "certificateKey", IfSet;
        /// The phases to leave out.
        skip_phases: Vec<String> = "skipPhases", IfSet;
        /// Patches for what is written.
        patches: Option<Patches> = "patches", IfSet;
        /// How long to wait for what.
        timeouts: Option<Timeouts> = "timeouts", IfSet;
    }

    /// What holds for the whole cluster; stored in it as the ConfigMap `kubeadm-config`.
    pub struct ClusterConfiguration {
        /// The etcd of the cluster.
        etcd: Etcd = "etcd", Always;
        /// The networks of the cluster.
        networking: Networking = "networking", Always;
        /// The version of the control plane, such as `v1.37.2`, or a label such as `stable-1`.
        kubernetes_version: Option<String> = "kubernetesVersion", IfSet, Format::KubernetesVersion;
        /// The address of the whole control plane: `host` or `host:port`.
        control_plane_endpoint: Option<String> = "controlPlaneEndpoint", IfSet, Format::HostPort;
        /// The API server.
        api_server: ApiServer = "apiServer", Always;
        /// The controller manager.
        controller_manager: ControlPlaneComponent = "controllerManager", Always;
        /// The scheduler.
        scheduler: ControlPlaneComponent = "scheduler", Always;
        /// The DNS addon.
        dns: Dns = "dns", Always;
        /// The kube-proxy addon.
        proxy: Proxy = "proxy", Always;
        /// The directory of the certificates.
        certificates_dir: Option<String> = "certificatesDir", IfSet, Format::AbsolutePath;
        /// The registry, with a path if need be, of every image.
        image_repository: Option<String> = "imageRepository", IfSet, Format::ImageRepository;
        /// The feature gates of kubeadm.
        feature_gates: BTreeMap<String, bool> = "featureGates", IfSet;
        /// The name of the cluster.
        cluster_name: Option<String> = "clusterName", IfSet;
        /// The kind of key pair for certificates that are generated.
        encryption_algorithm: Option<EncryptionAlgorithm> = "encryptionAlgorithm", IfSet;
        /// How long a leaf certificate is valid.
        certificate_validity_period: Option<GoDuration> = "certificateValidityPeriod", IfSet;
        /// How long a CA certificate is valid.
        ca_certificate_validity_period: Option<GoDuration> = "caCertificateValidityPeriod", IfSet;
    }

    /// What can be set for each component of the control plane.
    pub struct ControlPlaneComponent {
        /// More flags for the component; a flag may stand more than once.
        extra_args: Vec<Argument> = "extraArgs", IfSet;
        /// Paths of the host to mount into the component.
        extra_volumes: Vec<HostPathMount> = "extraVolumes", IfSet;
        /// More environment variables for the component.
        extra_envs: Vec<EnvironmentVariable> = "extraEnvs", IfSet;
    }

    /// The API server.
    pub struct ApiServer {
        /// What can be set for each component.
        component: ControlPlaneComponent = "", Inline;
        /// More names and addresses for its serving certificate.
        cert_sans: Vec<String> = "certSANs", IfSet, Format::SubjectAlternativeName;
    }

    /// The DNS addon.
    pub struct Dns {
        /// Its image.
        image: ImageMeta = "", Inline;
        /// Whether to leave it out.
        disabled: Option<bool> = "disabled", IfNotZero;
    }

    /// The kube-proxy addon.
    pub struct Proxy {
        /// Whether to leave it out.
        disabled: Option<bool> = "disabled", IfNotZero;
    }

    /// An image that is not versioned with Kubernetes.
    pub struct ImageMeta {
        /// The registry and path, without the name of the image.
        image_repository: Option<String> = "imageRepository", IfSet, Format::ImageRepository;
        /// The tag of the image.
        image_tag: Option<String> = "imageTag", IfSet;
    }

    /// Where the API server of one node is reached.
    pub struct ApiEndpoint {
        /// The address that it announces to the cluster.
        advertise_address: Option<String> = "advertiseAddress", IfSet, Format::IpAddress;
        /// The port that it listens on.
        bind_port: Option<i32> = "bindPort", IfNotZero, Format::Number(Count { minimum: 0, maximum: 65_535 });
    }

    /// How a node registers with the cluster.
    pub struct NodeRegistrationOptions {
        /// The name of the Node object.
        name: Option<String> = "name", IfSet, Format::NodeName;
        /// The socket of the container runtime.
        cri_socket: Option<String> = "criSocket", IfSet, Format::CriSocket;
        /// The taints of the Node; none in the file is not the same as an empty list.
        taints: Option<Vec<Taint>> = "taints", Always;
        /// More flags for the kubelet.
        kubelet_extra_args: Vec<Argument> = "kubeletExtraArgs", IfSet;
        /// The preflight checks whose failure is only warned of.
        ignore_preflight_errors: Vec<String> = "ignorePreflightErrors", IfSet;
        /// When images are pulled.
        image_pull_policy: Option<ImagePullPolicy> = "imagePullPolicy", IfSet;
        /// Whether images are pulled one after the other.
        image_pull_serial: Option<bool> = "imagePullSerial", IfSet;
    }

    /// The networks of the cluster.
    pub struct Networking {
        /// The service network: a CIDR, or two of different families with a comma.
        service_subnet: Option<String> = "serviceSubnet", IfSet, Format::ServiceSubnet;
        /// The pod network: a CIDR, or two of different families with a comma.
        pod_subnet: Option<String> = "podSubnet", IfSet, Format::PodSubnet;
        /// The DNS domain of services.
        dns_domain: Option<String> = "dnsDomain", IfSet, Format::DnsSubdomain;
    }

    /// The etcd of the cluster: one of the two.
    pub struct Etcd {
        /// An etcd that runs on the control-plane nodes.
        local: Option<LocalEtcd> = "local", IfSet;
        /// An etcd that somebody else runs.
        external: Option<ExternalEtcd> = "external", IfSet;
    }

    /// An etcd that runs on the control-plane nodes.
    pub struct LocalEtcd {
        /// Its image.
        image: ImageMeta = "", Inline;
        /// The directory of its data.
        data_dir: Option<String> = "dataDir", Always, Format::AbsolutePath;
        /// More flags for etcd.
        extra_args: Vec<Argument> = "extraArgs", IfSet;
        /// More environment variables for etcd.
        extra_envs: Vec<EnvironmentVariable> = "extraEnvs", IfSet;
        /// More names and addresses for its serving certificate.
        server_cert_sans: Vec<String> = "serverCertSANs", IfSet, Format::LowerCaseSubjectAlternativeName;
        /// More names and addresses for its peer certificate.
        peer_cert_sans: Vec<String> = "peerCertSANs", IfSet, Format::LowerCaseSubjectAlternativeName;
    }

    /// An etcd that somebody else runs.
    pub struct ExternalEtcd {
        /// The URLs of its members.
        endpoints: Vec<String> = "endpoints", Always, Format::Url;
        /// The URLs for plain HTTP requests, where they differ.
        http_endpoints: Vec<String> = "httpEndpoints", IfSet, Format::Url;
        /// The CA certificate of its members.
        ca_file: Option<String> = "caFile", Always, Format::AbsolutePath;
        /// The client certificate.
        cert_file: Option<String> = "certFile", Always, Format::AbsolutePath;
        /// The key of the client certificate.
        key_file: Option<String> = "keyFile", Always, Format::AbsolutePath;
    }

    /// A flag of a component.
    pub struct Argument {
        /// The name without dashes.
        name: String = "name", Always, Format::Required;
        /// The value.
        value: String = "value", Always;
    }

    /// A path of the host that is mounted into a component.
    pub struct HostPathMount {
        /// The name of the volume.
        name: String = "name", Always;
        /// The path on the host.
        host_path: String = "hostPath", Always;
        /// The path in the container.
        mount_path: String = "mountPath", Always;
        /// Whether the container may not write to it.
        read_only: Option<bool> = "readOnly", IfNotZero;
        /// What the kubelet expects to find on the host.
        path_type: Option<HostPathType> = "pathType", IfSet;
    }

    /// An environment variable of a component.
    pub struct EnvironmentVariable {
        /// Its name.
        name: String = "name", Always;
        /// Its value.
        value: Option<String> = "value", IfSet, Format::Confidential;
        /// Where its value comes from instead.
        value_from: Option<EnvironmentVariableSource> = "valueFrom", IfSet;
    }

    /// Where the value of an environment variable comes from: one of these.
    pub struct EnvironmentVariableSource {
        /// A field of the pod.
        field_ref: Option<ObjectFieldSelector> = "fieldRef", IfSet;
        /// A resource of a container.
        resource_field_ref: Option<ResourceFieldSelector> = "resourceFieldRef", IfSet;
        /// A key of a ConfigMap.
        config_map_key_ref: Option<KeySelector> = "configMapKeyRef", IfSet;
        /// A key of a Secret.
        secret_key_ref: Option<KeySelector> = "secretKeyRef", IfSet;
        /// A key in a file of a volume.
        file_key_ref: Option<FileKeySelector> = "fileKeyRef", IfSet;
    }

    /// A field of a pod.
    pub struct ObjectFieldSelector {
        /// The version that the path is written in.
        api_version: Option<String> = "apiVersion", IfSet;
        /// The path of the field.
        field_path: String = "fieldPath", Always;
    }

    /// A resource of a container.
    pub struct ResourceFieldSelector {
        /// The container.
        container_name: Option<String> = "containerName", IfSet;
        /// The resource.
        resource: String = "resource", Always;
        /// The unit of the value, a Kubernetes quantity.
        divisor: Option<Value> = "divisor", IfSet, Format::Quantity;
    }

    /// A key of a ConfigMap or Secret.
    pub struct KeySelector {
        /// The name of the object.
        name: Option<String> = "name", IfSet;
        /// The key.
        key: String = "key", Always;
        /// Whether it may be missing.
        optional: Option<bool> = "optional", IfSet;
    }

    /// A key in a file of a volume.
    pub struct FileKeySelector {
        /// The volume.
        volume_name: String = "volumeName", Always;
        /// The path in it.
        path: String = "path", Always;
        /// The key.
        key: String = "key", Always;
        /// Whether it may be missing.
        optional: Option<bool> = "optional", IfSet;
    }

    /// A taint of a Node.
    pub struct Taint {
        /// Its key.
        key: String = "key", Always;
        /// Its value.
        value: Option<String> = "value", IfSet;
        /// What it does.
        effect: Option<TaintEffect> = "effect", Always;
        /// When it was added.
        time_added: Option<Timestamp> = "timeAdded", IfSet;
    }

    /// A token that lets nodes join.
    pub struct BootstrapToken {
        /// The token, `abcdef.0123456789abcdef`.
        token: Option<Token> = "token", Always;
        /// What it is for, in words.
        description: Option<String> = "description", IfSet;
        /// How long it lives; zero is for ever.
        ttl: Option<GoDuration> = "ttl", IfSet;
        /// Until when it lives.
        expires: Option<Timestamp> = "expires", IfSet;
        /// What it may be used for.
        usages: Vec<TokenUsage> = "usages", IfSet;
        /// The groups that it authenticates as.
        groups: Vec<String> = "groups", IfSet, Format::TokenGroup;
    }

    /// Patches for what is written.
    pub struct Patches {
        /// The directory of the patch files.
        directory: Option<String> = "directory", IfSet;
    }

    /// How long to wait for what.
    pub struct Timeouts {
        /// For a component of the control plane to become healthy.
        control_plane_component_health_check: Option<GoDuration> = "controlPlaneComponentHealthCheck", IfSet;
        /// For the kubelet to become healthy.
        kubelet_health_check: Option<GoDuration> = "kubeletHealthCheck", IfSet;
        /// For a call of the API, with its retries.
        kubernetes_api_call: Option<GoDuration> = "kubernetesAPICall", IfSet;
        /// For a call of etcd, with its retries.
        etcd_api_call: Option<GoDuration> = "etcdAPICall", IfSet;
        /// For the kubelet to get its certificate.
        tls_bootstrap: Option<GoDuration> = "tlsBootstrap", IfSet;
        /// For the discovery of the cluster.
        discovery: Option<GoDuration> = "discovery", IfSet;
        /// For a static pod to come back after its manifest changed.
        upgrade_manifests: Option<GoDuration> = "upgradeManifests", IfSet;
    }

    /// How a node joins a cluster.
    pub struct JoinConfiguration {
        /// Whether to show what would be done instead of doing it.
        dry_run: Option<bool> = "dryRun", IfNotZero;
        /// How this node registers with the cluster.
        node_registration: NodeRegistrationOptions = "nodeRegistration", Always;
        /// The path of the CA certificate.
        ca_cert_path: Option<String> = "caCertPath", IfSet, Format::AbsolutePath;
        /// How the node finds the cluster.
        discovery: Discovery = "discovery", Always;
        /// What makes the node one of the control plane.
        control_plane: Option<JoinControlPlane> = "controlPlane", IfSet;
        /// The phases to leave out.
        skip_phases: Vec<String> = "skipPhases", IfSet;
        /// Patches for what is written.
        patches: Option<Patches> = "patches", IfSet;
        /// How long to wait for what.
        timeouts: Option<Timeouts> = "timeouts", IfSet;
    }

    /// What makes a joining node one of the control plane.
    pub struct JoinControlPlane {
        /// Where the API server of this node is reached.
        local_api_endpoint: ApiEndpoint = "localAPIEndpoint", Always;
        /// The key that decrypts the uploaded certificates.
        certificate_key: Option<CertificateKey> = "certificateKey", IfSet;
    }

    /// How a node finds the cluster: by token or by file.
    pub struct Discovery {
        /// By a bootstrap token.
        bootstrap_token: Option<BootstrapTokenDiscovery> = "bootstrapToken", IfSet;
        /// By a kubeconfig file.
        file: Option<FileDiscovery> = "file", IfSet;
        /// The token for the certificate of the kubelet, where it differs.
        tls_bootstrap_token: Option<Token> = "tlsBootstrapToken", IfSet;
    }

    /// Discovery by a bootstrap token.
    pub struct BootstrapTokenDiscovery {
        /// The token.
        token: Option<Token> = "token", Always;
        /// The API server to ask, `host:port`.
        api_server_endpoint: Option<String> = "apiServerEndpoint", IfSet, Format::HostAndPort;
        /// The hashes of the public keys of the CA, `sha256:<hex>`.
        ca_cert_hashes: Vec<String> = "caCertHashes", IfSet, Format::CaCertHash;
        /// Whether to go without them.
        unsafe_skip_ca_verification: Option<bool> = "unsafeSkipCAVerification", IfNotZero;
    }

    /// Discovery by a kubeconfig file.
    pub struct FileDiscovery {
        /// Its path or HTTPS URL.
        kube_config_path: Option<String> = "kubeConfigPath", Always;
    }

    /// How a node is reset.
    pub struct ResetConfiguration {
        /// Whether to remove the directory of temporary files as well.
        cleanup_tmp_dir: Option<bool> = "cleanupTmpDir", IfNotZero;
        /// The directory of the certificates.
        certificates_dir: Option<String> = "certificatesDir", IfSet, Format::AbsolutePath;
        /// The socket of the container runtime.
        cri_socket: Option<String> = "criSocket", IfSet, Format::CriSocket;
        /// Whether to show what would be done instead of doing it.
        dry_run: Option<bool> = "dryRun", IfNotZero;
        /// Whether to go on without asking.
        force: Option<bool> = "force", IfNotZero;
        /// The preflight checks whose failure is only warned of.
        ignore_preflight_errors: Vec<String> = "ignorePreflightErrors", IfSet;
        /// The phases to leave out.
        skip_phases: Vec<String> = "skipPhases", IfSet;
        /// The flags for unmounting the folders of the kubelet.
        unmount_flags: Vec<UnmountFlag> = "unmountFlags", IfSet;
        /// How long to wait for what.
        timeouts: Option<Timeouts> = "timeouts", IfSet;
    }

    /// How a cluster or node is upgraded.
    pub struct UpgradeConfiguration {
        /// For `upgrade apply`.
        apply: UpgradeApplyConfiguration = "apply", Always;
        /// For `upgrade diff`.
        diff: UpgradeDiffConfiguration = "diff", Always;
        /// For `upgrade node`.
        node: UpgradeNodeConfiguration = "node", Always;
        /// For `upgrade plan`.
        plan: UpgradePlanConfiguration = "plan", Always;
        /// How long to wait for what.
        timeouts: Option<Timeouts> = "timeouts", IfSet;
    }

    /// For `upgrade apply`.
    pub struct UpgradeApplyConfiguration {
        /// The version to upgrade to.
        kubernetes_version: Option<String> = "kubernetesVersion", IfSet;
        /// Whether unstable versions may be chosen.
        allow_experimental_upgrades: Option<bool> = "allowExperimentalUpgrades", IfSet;
        /// Whether release candidates may be chosen.
        allow_rc_upgrades: Option<bool> = "allowRCUpgrades", IfSet;
        /// Whether certificates are renewed.
        certificate_renewal: Option<bool> = "certificateRenewal", IfSet;
        /// Whether to show what would be done instead of doing it.
        dry_run: Option<bool> = "dryRun", IfSet;
        /// Whether etcd is upgraded.
        etcd_upgrade: Option<bool> = "etcdUpgrade", IfSet;
        /// Whether to go on where something speaks against it.
        force_upgrade: Option<bool> = "forceUpgrade", IfSet;
        /// The preflight checks whose failure is only warned of.
        ignore_preflight_errors: Vec<String> = "ignorePreflightErrors", IfSet;
        /// Patches for what is written.
        patches: Option<Patches> = "patches", IfSet;
        /// Whether to print the configuration.
        print_config: Option<bool> = "printConfig", IfSet;
        /// The phases to leave out.
        skip_phases: Vec<String> = "skipPhases", IfSet;
        /// When images are pulled.
        image_pull_policy: Option<ImagePullPolicy> = "imagePullPolicy", IfSet;
        /// Whether images are pulled one after the other.
        image_pull_serial: Option<bool> = "imagePullSerial", IfSet;
    }

    /// For `upgrade diff`.
    pub struct UpgradeDiffConfiguration {
        /// The version to compare with.
        kubernetes_version: Option<String> = "kubernetesVersion", IfSet;
        /// The lines of context around a difference.
        context_lines: Option<i64> = "contextLines", IfNotZero, Format::Number(Count { minimum: i64::MIN, maximum: i64::MAX });
    }

    /// For `upgrade node`.
    pub struct UpgradeNodeConfiguration {
        /// Whether certificates are renewed.
        certificate_renewal: Option<bool> = "certificateRenewal", IfSet;
        /// Whether to show what would be done instead of doing it.
        dry_run: Option<bool> = "dryRun", IfSet;
        /// Whether etcd is upgraded.
        etcd_upgrade: Option<bool> = "etcdUpgrade", IfSet;
        /// The preflight checks whose failure is only warned of.
        ignore_preflight_errors: Vec<String> = "ignorePreflightErrors", IfSet;
        /// The phases to leave out.
        skip_phases: Vec<String> = "skipPhases", IfSet;
        /// Patches for what is written.
        patches: Option<Patches> = "patches", IfSet;
        /// When images are pulled.
        image_pull_policy: Option<ImagePullPolicy> = "imagePullPolicy", IfSet;
        /// Whether images are pulled one after the other.
        image_pull_serial: Option<bool> = "imagePullSerial", IfSet;
    }

    /// For `upgrade plan`.
    pub struct UpgradePlanConfiguration {
        /// The version to upgrade to.
        kubernetes_version: Option<String> = "kubernetesVersion", IfSet;
        /// Whether unstable versions may be chosen.
        allow_experimental_upgrades: Option<bool> = "allowExperimentalUpgrades", IfSet;
        /// Whether release candidates may be chosen.
        allow_rc_upgrades: Option<bool> = "allowRCUpgrades", IfSet;
        /// Whether to show what would be done instead of doing it.
        dry_run: Option<bool> = "dryRun", IfSet;
        /// Whether etcd is upgraded.
        etcd_upgrade: Option<bool> = "etcdUpgrade", IfSet;
        /// The preflight checks whose failure is only warned of.
        ignore_preflight_errors: Vec<String> = "ignorePreflightErrors", IfSet;
        /// Whether to print the configuration.
        print_config: Option<bool> = "printConfig", IfSet;
    }
}
