//! The rights of `admin.conf`: its group is bound to `cluster-admin` by itself if it may, else by
//! `super-admin.conf`, whom no RBAC rule holds back.

use rinit_plan::{ObjectId, WriteStyle, groups};
use serde_json::{Value, json};

use crate::retry::retry;
use crate::{Client, ClusterError, Desired, Patience, Result, Standing};

/// The binding, and its name.
pub fn cluster_admins_binding() -> (ObjectId, Value) {
    let id = ObjectId {
        api_version: "rbac.authorization.k8s.io/v1".to_owned(),
        kind: "ClusterRoleBinding".to_owned(),
        namespace: None,
        name: groups::CLUSTER_ADMINS.to_owned(),
    };
    let body = json!({
        "apiVersion": id.api_version,
        "kind": id.kind,
        "metadata": {"name": id.name},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "cluster-admin",
        },
        "subjects": [{
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "Group",
            "name": groups::CLUSTER_ADMINS,
        }],
    });
    (id, body)
}

/// How the binding stands, asked as `admin`. A new cluster forbids even the question; then it is
/// absent as far as `admin` can tell.
pub async fn inspect_cluster_admins(admin: &Client, patience: &Patience) -> Result<Standing> {
    let (id, body) = cluster_admins_binding();
    let desired = Desired {
        id: &id,
        body: &body,
        style: WriteStyle::Replace,
        unmanaged: &[],
    };
    let seen = retry(patience, async || {
        match admin.inspect(&desired, &Patience::none()).await {
            Err(error) if error.is_forbidden() => Ok(Standing::Absent),
            other => other,
        }
    });
    seen.await
}

/// Makes the binding. `admin` tries first; if RBAC forbids it, `super_admin` does. A binding that
/// exists is left as it is, as kubeadm does.
pub async fn ensure_cluster_admins(
    admin: &Client,
    super_admin: Option<&Client>,
    patience: &Patience,
) -> Result<()> {
    let (id, body) = cluster_admins_binding();
    let made = retry(patience, async || match admin.create(&id, &body).await {
        Ok(_) => Ok(true),
        Err(error) if error.is_forbidden() => Ok(false),
        Err(error) => Err(error),
    })
    .await?;
    if made {
        return Ok(());
    }
    let super_admin = super_admin.ok_or(ClusterError::NoSuperAdmin)?;
    retry(patience, || super_admin.create(&id, &body)).await?;
    Ok(())
}
