//! `rinit certs generate-csr` and the way back: keys and requests for another authority, and what
//! it has signed, checked and put where it belongs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rinit_diag::Problem;
use rinit_manifest::kubeconfig::{CurrentContext, Source};
use rinit_manifest::yaml;
use rinit_pki::{Certificate, Fault, Finding, PkiError, PrivateKey};
use rinit_plan::{
    Action, CertificateBundle, CertificateSpec, FileMode, KeyAlgorithm, KubeconfigSpec,
    LogicalPath, Resource, Secret, Severity,
};
use serde_json::json;

use crate::expiration::ReadFile;
use crate::kubeconfig::Document;
use crate::renewal::{API_SERVER, NewFile};
use crate::trust::{Answer, Question};

/// What a request is made for.
#[derive(Debug)]
pub struct Wanted<'a> {
    what: What<'a>,
    /// The key that is there; a new one is made where there is none.
    key: Option<PrivateKey>,
}

#[derive(Debug, Clone, Copy)]
enum What<'a> {
    Pair(&'a CertificateSpec),
    Kubeconfig(&'a KubeconfigSpec),
}

impl What<'_> {
    fn name(self) -> String {
        match self {
            Self::Pair(spec) => spec.name.clone(),
            Self::Kubeconfig(spec) => spec.name.clone(),
        }
    }

    /// The file that has the key.
    fn key_file(self) -> LogicalPath {
        match self {
            Self::Pair(spec) => spec.key.clone(),
            Self::Kubeconfig(spec) => spec.path.clone(),
        }
    }

    fn request_file(self) -> LogicalPath {
        match self {
            Self::Pair(spec) => request_file(spec),
            Self::Kubeconfig(spec) => beside(&spec.path, "csr"),
        }
    }
}

impl Wanted<'_> {
    /// The algorithm of the key that must be made, if one must.
    pub fn new_key(&self) -> Option<KeyAlgorithm> {
        if self.key.is_some() {
            return None;
        }
        Some(match self.what {
            What::Pair(spec) => spec.algorithm,
            What::Kubeconfig(spec) => spec.algorithm,
        })
    }
}

/// Which requests are to be made. Without names that is one for every certificate and kubeconfig of
/// the plans, and none of their files may be there. With names, a key that is there is used: no key
/// is ever replaced. All that is in the way is told at once.
pub fn wanted<'a>(
    actions: impl IntoIterator<Item = &'a Action>,
    names: &[String],
    read: &mut ReadFile<'_>,
) -> Result<Vec<Wanted<'a>>, Vec<Problem>> {
    let actions: Vec<&Action> = actions.into_iter().collect();
    let every_name = crate::renewal::names(actions.iter().copied());
    let mut problems = Vec::new();
    let mut wanted = Vec::new();
    for action in actions {
        let what = match action {
            Action::Ensure(Resource::Certificate(spec)) => What::Pair(spec),
            Action::Ensure(Resource::Kubeconfig(spec)) => What::Kubeconfig(spec),
            _ => continue,
        };
        if names.is_empty() {
            for target in [what.key_file(), what.request_file()] {
                match read(&target).map(|found| found.map(Secret::new)) {
                    Ok(None) => {}
                    Ok(Some(_)) => problems.push(
                        Problem::new(format!("{target} is already there")).with_hint(format!(
                            "Choose other folders, or have requests made with the keys that are \
                             there: `rinit certs generate-csr {}`.",
                            every_name.join(" ")
                        )),
                    ),
                    Err(reason) => problems.push(Problem::new(format!("{target}: {reason}"))),
                }
            }
            wanted.push(Wanted { what, key: None });
        } else if names.contains(&what.name()) {
            match existing_key(what, read) {
                Ok(key) => wanted.push(Wanted { what, key }),
                Err(reason) => {
                    let file = what.key_file();
                    let problem = Problem::new(format!("{file}: {reason}"));
                    // Nothing says that a key is bad which this user may not read.
                    problems.push(if read(&file).is_err() {
                        problem
                    } else {
                        problem.with_hint("Move it away to have a new key generated.")
                    });
                }
            }
        }
    }
    if problems.is_empty() {
        Ok(wanted)
    } else {
        Err(problems)
    }
}

/// The key that is there; none where there is no file.
fn existing_key(what: What<'_>, read: &mut ReadFile<'_>) -> Result<Option<PrivateKey>, String> {
    let Some(found) = read(&what.key_file())?.map(Secret::new) else {
        return Ok(None);
    };
    let key = match what {
        What::Pair(_) => found,
        What::Kubeconfig(spec) => {
            let text = std::str::from_utf8(found.expose())
                .map_err(|_| "the kubeconfig is not UTF-8".to_owned())?;
            let context = CurrentContext::parse(text).map_err(|error| rinit_diag::chain(&error))?;
            match context.client_key {
                Some(Source::Data(key)) => key,
                Some(Source::File(file)) => {
                    return Err(format!(
                        "the key is in {file}, and what a kubelet keeps new is its own matter"
                    ));
                }
                None => return Err(format!("{} has no key in it", spec.name)),
            }
        }
    };
    PrivateKey::load(key.expose())
        .map(Some)
        .map_err(|error| error.to_string())
}

/// The keys and requests that are wanted.
pub fn generate(
    wanted: &[Wanted<'_>],
    new_key: &mut dyn FnMut(KeyAlgorithm) -> Result<PrivateKey, PkiError>,
) -> Result<Vec<NewFile>, Vec<Problem>> {
    let mut files = Vec::new();
    for one in wanted {
        let failed = |error: PkiError| {
            vec![Problem::new(format!(
                "{}: {}",
                one.what.key_file(),
                rinit_diag::chain(&error)
            ))]
        };
        let made = match one.new_key() {
            Some(algorithm) => Some(new_key(algorithm).map_err(failed)?),
            None => None,
        };
        let Some(key) = made.as_ref().or(one.key.as_ref()) else {
            continue;
        };
        let (request, text) = match one.what {
            What::Pair(spec) => (rinit_pki::request(spec, key), key.pem().clone()),
            What::Kubeconfig(spec) => (rinit_pki::request(spec, key), partial(spec, key)),
        };
        let mut file = |path, content: Vec<u8>| {
            files.push(NewFile {
                path,
                mode: FileMode::PRIVATE,
                content: Secret::new(content),
            });
        };
        let request = request.map_err(failed)?;
        if made.is_some() {
            file(one.what.key_file(), text.expose().clone().into_bytes());
        }
        file(one.what.request_file(), request.into_bytes());
    }
    Ok(files)
}

/// Gives what was signed by its name, such as `etcd/server.crt` or `admin.conf.crt`; nothing where
/// it is not there, or says why it cannot be read.
pub type ReadSigned<'a> = dyn FnMut(&str) -> Result<Option<Vec<u8>>, String> + 'a;

/// What is installed, and what was not found.
#[derive(Debug)]
pub struct Installation {
    /// The files, in the order in which they are to be written.
    pub files: Vec<NewFile>,
    /// The names of what is installed.
    pub installed: Vec<String>,
    /// The names of what was not found among what was signed.
    pub absent: Vec<String>,
    /// What else changes, a sentence each.
    pub changes: Vec<String>,
    /// What is odd and no reason to refuse.
    pub warnings: Vec<Problem>,
}

/// Checks everything that was signed, and says what goes where. All faults are told at once.
pub fn install<'a>(
    actions: impl IntoIterator<Item = &'a Action>,
    certificates: &LogicalPath,
    read: &mut ReadFile<'_>,
    signed: &mut ReadSigned<'_>,
    now: Timestamp,
) -> Result<Installation, Vec<Problem>> {
    let mut installation = Installation {
        files: Vec::new(),
        installed: Vec::new(),
        absent: Vec::new(),
        changes: Vec::new(),
        warnings: Vec::new(),
    };
    let mut problems = Vec::new();
    let actions: Vec<&Action> = actions.into_iter().collect();
    let server = actions.iter().find_map(|action| match action {
        Action::Ensure(Resource::Certificate(spec)) if spec.name == API_SERVER => {
            let new = signed(&below(certificates, &spec.certificate));
            new.ok()
                .flatten()
                .or_else(|| read(&spec.certificate).ok().flatten())
        }
        _ => None,
    });
    let server = server.unwrap_or_default();
    for action in actions {
        let (name, file) = match action {
            Action::Ensure(Resource::Certificate(spec)) => {
                (&spec.name, below(certificates, &spec.certificate))
            }
            Action::Ensure(Resource::Kubeconfig(spec)) => {
                (&spec.name, format!("{}.crt", spec.path.file_name()))
            }
            _ => continue,
        };
        let pem = match signed(&file) {
            Ok(Some(pem)) => pem,
            Ok(None) => {
                installation.absent.push(name.clone());
                continue;
            }
            Err(reason) => {
                problems.push(Problem::new(format!("{file}: {reason}")));
                continue;
            }
        };
        // What is installed is for everybody to read.
        if rinit_pki::has_private_key(&pem) {
            problems.push(
                Problem::new(format!(
                    "{file}: a private key stands beside the certificate"
                ))
                .with_hint(format!(
                    "Take it out of DIR/{file} with an editor. If anybody may have read it, make \
                     another key and request: `rinit certs generate-csr {name}`, with the old key \
                     moved away."
                )),
            );
            continue;
        }
        let new = match rinit_pki::certificates_of(&pem) {
            Ok(new) => new,
            Err(error) => {
                problems.push(Problem::new(format!("{file}: {error}")).with_hint(format!(
                    "Put there what was signed for the request of {name}, in PEM form."
                )));
                continue;
            }
        };
        let checked = match action {
            Action::Ensure(Resource::Certificate(spec)) => pair(spec, new, read, now)
                .map(|(file, findings)| (file, findings, Answer::default())),
            Action::Ensure(Resource::Kubeconfig(spec)) => {
                kubeconfig(spec, &new, &server, read, now)
            }
            _ => continue,
        };
        match checked {
            Ok((new, findings, trust)) => {
                let (errors, odd): (Vec<_>, Vec<_>) =
                    findings.into_iter().partition(stands_in_the_way);
                let told = |finding: Finding| {
                    let hint = match finding.fault {
                        Fault::NotYetValid { .. } => format!(
                            "Install it then, look whether the clock of this host is right, or have \
                             the request of {name} signed again with an earlier start."
                        ),
                        _ => format!(
                            "Have the request of {name} signed again, with the names in it and the \
                             usages that are told."
                        ),
                    };
                    Problem::new(format!("{file}: {}", finding.fault)).with_hint(hint)
                };
                problems.extend(errors.into_iter().map(told));
                installation.warnings.extend(odd.into_iter().map(told));
                installation.warnings.extend(trust.warning);
                installation.changes.extend(
                    trust
                        .change
                        .map(|(_, sentence)| format!("{} {sentence}", new.path)),
                );
                installation.files.push(new);
                installation.installed.push(name.clone());
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        Ok(installation)
    } else {
        Err(problems)
    }
}

/// What a renewal tolerates in old certificates, nobody wants in a new one.
fn stands_in_the_way(finding: &Finding) -> bool {
    finding.severity() == Severity::Error
        || matches!(
            finding.fault,
            Fault::Expired { .. } | Fault::NotYetValid { .. }
        )
}

fn needed(path: &LogicalPath, read: &mut ReadFile<'_>) -> Result<Secret<Vec<u8>>, Problem> {
    match read(path) {
        Ok(Some(bytes)) => Ok(Secret::new(bytes)),
        Ok(None) => Err(Problem::new(format!("{path} is missing"))
            .with_hint("Make keys and requests with `rinit certs generate-csr`.")),
        Err(reason) => Err(Problem::new(format!("{path}: {reason}"))),
    }
}

fn authority(path: &LogicalPath, read: &mut ReadFile<'_>) -> Result<Secret<Vec<u8>>, Problem> {
    needed(path, read).map_err(|problem| Problem {
        hint: Some(format!("Put the authority's certificate into {path}.")),
        ..problem
    })
}

fn pair(
    spec: &CertificateSpec,
    new: CertificateBundle,
    read: &mut ReadFile<'_>,
    now: Timestamp,
) -> Result<(NewFile, Vec<Finding>), Problem> {
    let key = needed(&spec.key, read)?;
    let authority = authority(&spec.signer.certificate, read)?;
    let findings = rinit_pki::judge_leaf(
        spec,
        new.as_bytes(),
        Some(key.expose()),
        authority.expose(),
        now,
    );
    let file = NewFile {
        path: spec.certificate.clone(),
        mode: FileMode::PUBLIC,
        content: Secret::new(String::from(new).into_bytes()),
    };
    Ok((file, findings))
}

/// Puts what was signed into the kubeconfig that has the key; everything else in it stays. `server`
/// is what the API server shows (PEM).
fn kubeconfig(
    spec: &KubeconfigSpec,
    new: &CertificateBundle,
    server: &[u8],
    read: &mut ReadFile<'_>,
    now: Timestamp,
) -> Result<(NewFile, Vec<Finding>, Answer), Problem> {
    let text = needed(&spec.path, read)?;
    let authority = authority(&spec.signer.certificate, read)?;
    let wrong = |reason: String| Problem::new(format!("{}: {reason}", spec.path));
    let text = std::str::from_utf8(text.expose())
        .map_err(|_| wrong("the kubeconfig is not UTF-8".to_owned()))?;
    let context = CurrentContext::parse(text).map_err(|error| wrong(rinit_diag::chain(&error)))?;
    let mut document = Document::parse(text).map_err(wrong)?;
    let Some(Source::Data(key)) = context.client_key else {
        return Err(wrong("the current user has no key in the file".to_owned()));
    };
    let findings = rinit_pki::judge_client(
        spec,
        new.as_bytes(),
        Some(key.expose()),
        authority.expose(),
        now,
    );
    let trusted = trusted(&spec.path, context.ca.as_ref(), read).map_err(wrong)?;
    let certificates = Certificate::read_all(authority.expose())
        .map_err(|error| Problem::new(format!("{}: {error}", spec.signer.certificate)))?;
    let question = Question {
        spec,
        trusted: trusted.as_deref(),
        client: new.as_bytes(),
        authority: &certificates,
        must_trust: true,
        shown: server,
        prune: false,
        now,
    };
    let answer = question.answer();
    if let Some((authorities, _)) = &answer.change {
        document.trust(&context.cluster_name, authorities);
    }
    let key = Secret::new(String::from_utf8_lossy(key.expose()).into_owned());
    document.embed(&context.user, new, key.expose());
    Ok((document.file(&spec.path), findings, answer))
}

/// The certificates that a kubeconfig trusts (PEM), embedded or in a file beside it; none where it does
/// not say.
fn trusted(
    kubeconfig: &LogicalPath,
    ca: Option<&Source>,
    read: &mut ReadFile<'_>,
) -> Result<Option<Vec<u8>>, String> {
    Ok(match ca {
        Some(Source::Data(data)) => Some(data.expose().clone()),
        Some(Source::File(file)) => {
            let file = kubeconfig.beside(file).map_err(|error| error.to_string())?;
            Some(read(&file)?.unwrap_or_default())
        }
        None => None,
    })
}

/// A kubeconfig that has its key, and neither an authority nor a certificate yet.
fn partial(spec: &KubeconfigSpec, key: &PrivateKey) -> Secret<String> {
    let user = &spec.subject.common_name;
    let context = format!("{user}@{}", spec.cluster_name);
    let document = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": spec.cluster_name, "cluster": {"server": spec.server}}],
        "contexts": [{
            "name": context,
            "context": {"cluster": spec.cluster_name, "user": user},
        }],
        "current-context": context,
        "users": [{
            "name": user,
            "user": {"client-key-data": STANDARD.encode(key.pem().expose())},
        }],
    });
    Secret::new(yaml::to_string(&document))
}

fn request_file(spec: &CertificateSpec) -> LogicalPath {
    let name = spec.certificate.file_name();
    let base = name.strip_suffix(".crt").unwrap_or(name);
    spec.certificate.parent().join(&format!("{base}.csr"))
}

fn beside(path: &LogicalPath, end: &str) -> LogicalPath {
    path.parent().join(&format!("{}.{end}", path.file_name()))
}

/// The path of a file below a folder.
fn below(folder: &LogicalPath, file: &LogicalPath) -> String {
    file.as_str()
        .strip_prefix(folder.as_str())
        .unwrap_or(file.as_str())
        .trim_start_matches('/')
        .to_owned()
}
