//! What a response has to look like before a library for signatures sees it: one assertion, signatures that cover
//! exactly the elements they stand in, nothing that could be read in two ways. Nothing is believed here.

use std::collections::HashSet;

use roxmltree::{Document, Node, ParsingOptions};

use super::Addresses;
use crate::control::sign_in::settings::Peer;

pub(super) const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
pub(super) const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
const SIGNATURE: &str = "http://www.w3.org/2000/09/xmldsig#";
const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";
const CANONICAL: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
const NODES_MAX: u32 = 20_000;
const DEPTH_MAX: usize = 64;

/// What the response says around the assertion.
pub(super) struct Outer {
    pub(super) in_response_to: String,
}

/// A document of no surprises: no document type, no comments, no processing instructions, bounded.
pub(super) fn parsed(xml: &str) -> Result<Document<'_>, String> {
    // Without a document type there are no entities but the five of XML.
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    let document = Document::parse_with_options(xml, options).map_err(|error| format!("it is no XML: {error}"))?;
    // A comment divides a text: who reads the first part only reads another name than was signed.
    if document.descendants().any(|it| it.is_comment() || it.is_pi()) {
        return Err("it has comments or processing instructions".to_owned());
    }
    if document.descendants().any(|it| it.ancestors().take(DEPTH_MAX + 1).count() > DEPTH_MAX) {
        return Err("it is nested too deep".to_owned());
    }
    Ok(document)
}

/// Whether the response is one that may be verified.
pub(super) fn checked(xml: &str, peer: &Peer, addresses: &Addresses) -> Result<Outer, String> {
    let document = parsed(xml)?;
    let response = document.root_element();
    if !response.has_tag_name((PROTOCOL, "Response")) {
        return Err("it is no response".to_owned());
    }
    distinct_ids(&document)?;
    let elements = |name: &'static str| document.descendants().filter(move |it| it.tag_name().name() == name);
    let assertions: Vec<Node> = elements("Assertion").collect();
    let [assertion] = assertions.as_slice() else { return Err("it has not exactly one assertion".to_owned()) };
    if !assertion.has_tag_name((ASSERTION, "Assertion")) || assertion.parent_element() != Some(response) {
        return Err("the assertion is not where it belongs".to_owned());
    }
    if elements("EncryptedAssertion").next().is_some() {
        return Err("encrypted assertions are not taken".to_owned());
    }
    let signatures: Vec<Node> = elements("Signature").collect();
    if signatures.iter().filter(|it| it.parent_element() == Some(*assertion)).count() != 1 {
        return Err("the assertion is not signed, or more than once".to_owned());
    }
    if signatures.iter().filter(|it| it.parent_element() == Some(response)).count() + 1 != signatures.len() {
        return Err("there is a signature that is neither the assertion's nor the response's".to_owned());
    }
    for signature in &signatures {
        covers_its_parent(*signature)?;
    }
    outer(response, peer, addresses)
}

/// References go by id: each may stand for one element only, whoever reads it.
fn distinct_ids(document: &Document<'_>) -> Result<(), String> {
    let mut seen = HashSet::new();
    for element in document.descendants() {
        for attribute in element.attributes().filter(|it| it.name().eq_ignore_ascii_case("id")) {
            if !seen.insert(attribute.value()) {
                return Err("an id is there twice".to_owned());
            }
        }
    }
    Ok(())
}

/// A signature that is about the element it stands in, as a whole, and nothing else; of a plain form only.
fn covers_its_parent(signature: Node<'_, '_>) -> Result<(), String> {
    let odd = |what: &str| Err(format!("a signature has an odd form: {what}"));
    if signature.tag_name().namespace() != Some(SIGNATURE) {
        return odd("its namespace");
    }
    let children: Vec<&str> = signature.children().filter(Node::is_element).map(|it| it.tag_name().name()).collect();
    if !matches!(children.as_slice(), ["SignedInfo", "SignatureValue"] | ["SignedInfo", "SignatureValue", "KeyInfo"]) {
        return odd("what is in it");
    }
    let elements = |of: Node<'_, '_>, name: &str| -> Vec<_> {
        of.children().filter(|it| it.has_tag_name((SIGNATURE, name))).map(|it| it.id()).collect()
    };
    let document = signature.document();
    let only = |of: Node<'_, '_>, name: &str| match elements(of, name).as_slice() {
        [id] => document.get_node(*id),
        _ => None,
    };
    let Some(info) = only(signature, "SignedInfo") else { return odd("`SignedInfo`") };
    let method = |of: Node<'_, '_>, name: &str| {
        only(of, name).and_then(|it| it.attribute("Algorithm").map(str::to_owned)).unwrap_or_default()
    };
    if method(info, "CanonicalizationMethod") != CANONICAL {
        return odd("the canonical form");
    }
    if !super::ALGORITHMS.iter().any(|it| it.signature_uri() == method(info, "SignatureMethod")) {
        return odd("the algorithm");
    }
    let Some(reference) = only(info, "Reference") else { return odd("not one reference") };
    if !super::ALGORITHMS.iter().any(|it| it.digest_uri() == method(reference, "DigestMethod")) {
        return odd("the algorithm of the digest");
    }
    let parent = signature.parent_element().and_then(|it| it.attribute("ID")).unwrap_or_default();
    if parent.is_empty() || reference.attribute("URI").and_then(|it| it.strip_prefix('#')) != Some(parent) {
        return odd("the reference is to another element");
    }
    let Some(transforms) = only(reference, "Transforms") else { return odd("no transforms") };
    let transforms: Vec<_> = transforms.children().filter(Node::is_element).collect();
    let is = |it: &Node, uri: &str| it.has_tag_name((SIGNATURE, "Transform")) && it.attribute("Algorithm") == Some(uri);
    match transforms.as_slice() {
        [first, second] if is(first, ENVELOPED) && is(second, CANONICAL) => Ok(()),
        _ => odd("the transforms"),
    }
}

/// What stands around the assertion, which may be unsigned: it can only make the response unfit.
fn outer(response: Node<'_, '_>, peer: &Peer, addresses: &Addresses) -> Result<Outer, String> {
    if response.attribute("Version") != Some("2.0") {
        return Err("it is of another version".to_owned());
    }
    if response.attribute("Destination") != Some(addresses.consumer.as_str()) {
        return Err("its destination is another one".to_owned());
    }
    let children = |name: &'static str| response.children().filter(move |it| it.tag_name().name() == name);
    if children("Issuer").any(|it| it.text().map(str::trim) != Some(peer.entity_id.as_str())) {
        return Err("its issuer is another one".to_owned());
    }
    let statuses: Vec<Node> = children("Status").collect();
    let [status] = statuses.as_slice() else { return Err("it has not one status".to_owned()) };
    let code = status.children().find(|it| it.has_tag_name((PROTOCOL, "StatusCode")));
    if code.and_then(|it| it.attribute("Value")) != Some(SUCCESS) {
        return Err("its status is not success".to_owned());
    }
    match response.attribute("InResponseTo") {
        Some(id) if !id.is_empty() => Ok(Outer { in_response_to: id.to_owned() }),
        _ => Err("it answers no request".to_owned()),
    }
}
