//! What the two sides tell each other about themselves, and the request that begins a sign-in.

use std::path::Path;

use chrono::{DateTime, Utc};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use samael::metadata::{EntityDescriptor, HTTP_POST_BINDING, HTTP_REDIRECT_BINDING, IndexedEndpoint, SpSsoDescriptor};
use samael::schema::{AuthnRequest, Issuer};
use samael::service_provider::ServiceProvider;
use samael::traits::ToXml;

use super::Addresses;
use super::before::PROTOCOL;
use crate::control::sign_in::settings::{Peer, Saml};

/// The identity provider as the settings pin it: by its metadata, or by what stands in the settings themselves.
pub(in crate::control::sign_in) fn peer(
    settings: &Saml,
    read: &dyn Fn(&Path) -> Result<String, String>,
) -> Result<Peer, String> {
    let inline = (&settings.idp_entity_id, &settings.sso_url, &settings.certificate);
    let peer = match (&settings.metadata_file, inline) {
        (Some(path), (None, None, None)) => of_metadata(path, &read(path)?)?,
        (None, (Some(entity_id), Some(sso_url), Some(certificate))) => {
            Peer { entity_id: entity_id.clone(), sso_url: sso_url.clone(), certificates: certificates(certificate)? }
        }
        _ => return Err("either metadata_file, or idp_entity_id, sso_url and certificate".to_owned()),
    };
    match peer.certificates.is_empty() {
        true => Err("there is no certificate that the identity provider signs with".to_owned()),
        false => Ok(peer),
    }
}

fn of_metadata(path: &Path, text: &str) -> Result<Peer, String> {
    let unusable = |why: &str| format!("{}: {why}", path.display());
    // Refuses document types, as for responses.
    super::before::parsed(text).map_err(|why| unusable(&why))?;
    let metadata: EntityDescriptor =
        text.parse().map_err(|_| unusable("this is no metadata of one identity provider"))?;
    let entity_id = metadata.entity_id.clone().ok_or_else(|| unusable("it has no entityID"))?;
    let provider = ServiceProvider { idp_metadata: metadata, ..ServiceProvider::default() };
    let sso_url = provider.sso_binding_location(HTTP_REDIRECT_BINDING);
    let certificates = provider.idp_signing_certs().map_err(|error| unusable(&error.to_string()))?;
    Ok(Peer {
        entity_id,
        sso_url: sso_url.ok_or_else(|| unusable("it has no address for the redirect binding"))?,
        certificates: certificates.unwrap_or_default().iter().map(|it| it.der_data().to_vec()).collect(),
    })
}

fn certificates(pem: &str) -> Result<Vec<Vec<u8>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let certificates = certificates.map_err(|error| format!("certificate: {error}"))?;
    Ok(certificates.iter().map(|it| it.to_vec()).collect())
}

/// The address that a browser takes the request to.
pub(super) fn request(settings: &Saml, addresses: &Addresses, id: &str, now_ms: u64) -> Option<String> {
    let now = DateTime::<Utc>::from_timestamp_millis(i64::try_from(now_ms).ok()?)?;
    let request = AuthnRequest {
        id: id.to_owned(),
        version: "2.0".to_owned(),
        issue_instant: now,
        destination: Some(settings.peer.sso_url.clone()),
        issuer: Some(Issuer { value: Some(addresses.entity_id.clone()), ..Issuer::default() }),
        assertion_consumer_service_url: Some(addresses.consumer.clone()),
        protocol_binding: Some(HTTP_POST_BINDING.to_owned()),
        ..AuthnRequest::default()
    };
    request.redirect("").ok()?.map(|it| it.to_string())
}

/// This server's own metadata.
pub(super) fn own(addresses: &Addresses) -> Option<String> {
    let consumer = IndexedEndpoint {
        binding: HTTP_POST_BINDING.to_owned(),
        location: addresses.consumer.clone(),
        index: 0,
        is_default: Some(true),
        ..IndexedEndpoint::default()
    };
    let descriptor = SpSsoDescriptor {
        protocol_support_enumeration: Some(PROTOCOL.to_owned()),
        authn_requests_signed: Some(false),
        want_assertions_signed: Some(true),
        assertion_consumer_services: vec![consumer],
        ..SpSsoDescriptor::default()
    };
    let entity = EntityDescriptor {
        entity_id: Some(addresses.entity_id.clone()),
        sp_sso_descriptors: Some(vec![descriptor]),
        ..EntityDescriptor::default()
    };
    entity.to_string().ok()
}
