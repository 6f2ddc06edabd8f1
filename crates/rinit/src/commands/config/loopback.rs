//! A loopback address at which an API server is to be announced.
//!
//! It stands for a global address of the loopback interface, which routed networks put there. Without
//! one it is refused, as kubeadm does. Of all that a file leaves to the host, only this is asked.

use std::net::IpAddr;

use rinit_config::v1beta4::ApiEndpoint;
use rinit_config::{Documents, Findings, Rule, Severity};
use rinit_diag::ExitCode;
use rinit_facts::HostFacts;
use rinit_host::Interface;

use crate::trouble::{Remarks, Trouble};

/// Where the documents of a first and of a joining control plane have it.
const INIT: &str = "localAPIEndpoint.advertiseAddress";
const JOIN: &str = "controlPlane.localAPIEndpoint.advertiseAddress";

/// Stands in for a host where a file is looked at.
pub(super) async fn stand_in(documents: &Documents) -> Result<HostFacts, ExitCode> {
    let mut host = HostFacts::of_no_host(documents, rinit_host::now());
    if of_init(documents).or(of_join(documents)).is_some() {
        let machine = super::machine().await?;
        host.loopback_global_address = rinit_host::loopback_address(&machine.interfaces);
    }
    Ok(host)
}

/// What is wrong with the address of a joining control plane, which nothing resolves.
pub(super) fn unreachable_join(documents: &Documents, global: Option<IpAddr>) -> Remarks {
    let mut remarks = Remarks::default();
    if let (Some(address), None) = (of_join(documents), global) {
        remarks.find(refuse(documents, JOIN, address));
    }
    remarks
}

/// Writes the address that is meant into the documents.
pub(super) fn settle(documents: &mut Documents, interfaces: &[Interface]) -> Result<(), Trouble> {
    let (init, join) = (of_init(documents), of_join(documents));
    if init.or(join).is_none() {
        return Ok(());
    }
    let Some(global) = rinit_host::loopback_address(interfaces) else {
        let mut remarks = Remarks::default();
        for (field, address) in [(INIT, init), (JOIN, join)] {
            if let Some(address) = address {
                remarks.find(refuse(documents, field, address));
            }
        }
        return Err(Trouble {
            code: ExitCode::Configuration,
            remarks,
        });
    };
    let endpoints = [
        init.and(documents.init.as_mut())
            .map(|init| &mut init.local_api_endpoint),
        join.and(documents.join.as_mut())
            .and_then(|join| join.control_plane.as_mut())
            .map(|control_plane| &mut control_plane.local_api_endpoint),
    ];
    for endpoint in endpoints.into_iter().flatten() {
        endpoint.advertise_address = Some(global.to_string());
    }
    Ok(())
}

fn of_init(documents: &Documents) -> Option<IpAddr> {
    loopback(&documents.init.as_ref()?.local_api_endpoint)
}

fn of_join(documents: &Documents) -> Option<IpAddr> {
    let control_plane = documents.join.as_ref()?.control_plane.as_ref()?;
    loopback(&control_plane.local_api_endpoint)
}

fn loopback(endpoint: &ApiEndpoint) -> Option<IpAddr> {
    rinit_config::parse_ip(endpoint.advertise_address.as_deref()?).filter(IpAddr::is_loopback)
}

fn refuse(documents: &Documents, field: &str, address: IpAddr) -> Findings {
    let problem = rinit_facts::unreachable(address);
    let source = &documents.source;
    let finding = source.finding(
        Rule::UnreachableAddress,
        Severity::Error,
        field,
        problem.message,
    );
    let mut findings = Findings::new(source.clone());
    findings.push(match problem.hint {
        Some(hint) => finding.with_hint(hint),
        None => finding,
    });
    findings
}
