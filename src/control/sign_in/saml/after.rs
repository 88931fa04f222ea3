//! What the signed bytes say: the only place where something of an assertion is believed. They come from the library
//! that verified the signature, as they went into the digest.

use jiff::Timestamp;
use roxmltree::Node;

use super::before::{ASSERTION, PROTOCOL, parsed};
use super::{Addresses, METHOD};
use crate::control::sign_in::arrive::Person;
use crate::control::sign_in::settings::Saml;

const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
const TRANSIENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";
/// How far the identity provider's clock may be off.
const SKEW_MS: u64 = 60 * 1000;
/// How old an assertion may be that was made for this sign-in.
const AGE_MS_MAX: u64 = 10 * 60 * 1000;
/// Longest id of an assertion or a request, and most values of an attribute.
const ID_BYTES_MAX: usize = 256;
const VALUES_MAX: usize = 2000;

/// A good assertion.
pub(super) struct Believed {
    pub(super) id: String,
    pub(super) in_response_to: String,
    /// Until when it could be used again, Unix milliseconds.
    pub(super) expires_ms: u64,
    pub(super) person: Person,
}

/// Reads the signed bytes: a response with one assertion, or an assertion.
pub(super) fn read(signed: &str, settings: &Saml, addresses: &Addresses, now_ms: u64) -> Result<Believed, String> {
    let document = parsed(signed)?;
    let root = document.root_element();
    let assertion = if root.has_tag_name((ASSERTION, "Assertion")) {
        root
    } else if root.has_tag_name((PROTOCOL, "Response")) {
        only(root, "Assertion")?
    } else {
        return Err("what was signed is no assertion".to_owned());
    };
    if assertion.attribute("Version") != Some("2.0") {
        return Err("the assertion is of another version".to_owned());
    }
    let id = assertion.attribute("ID").filter(|it| !it.is_empty() && it.len() <= ID_BYTES_MAX);
    let id = id.ok_or("the assertion has no id, or too long a one")?.to_owned();
    let issued = instant(assertion, "IssueInstant")?.ok_or("the assertion does not say when it was made")?;
    if issued > now_ms + SKEW_MS || issued + AGE_MS_MAX < now_ms {
        return Err("the assertion was not made just now".to_owned());
    }
    if text(only(assertion, "Issuer")?)? != settings.peer.entity_id {
        return Err("the assertion's issuer is another one".to_owned());
    }
    conditions(only(assertion, "Conditions")?, addresses, now_ms)?;
    let statements: Vec<Node> = children(assertion, "AuthnStatement").collect();
    if statements.is_empty() {
        return Err("the assertion does not say that somebody signed in".to_owned());
    }
    for statement in statements {
        if instant(statement, "SessionNotOnOrAfter")?.is_some_and(|end| end + SKEW_MS <= now_ms) {
            return Err("the session at the identity provider is over".to_owned());
        }
    }
    let subject = only(assertion, "Subject")?;
    let (in_response_to, expires_ms) = confirmed(subject, addresses, now_ms)?;
    Ok(Believed { id, in_response_to, expires_ms, person: person(assertion, subject, settings)? })
}

fn children<'a, 'input>(of: Node<'a, 'input>, name: &'static str) -> impl Iterator<Item = Node<'a, 'input>> {
    of.children().filter(move |it| it.has_tag_name((ASSERTION, name)))
}

fn only<'a, 'input>(of: Node<'a, 'input>, name: &'static str) -> Result<Node<'a, 'input>, String> {
    let mut found = children(of, name);
    match (found.next(), found.next()) {
        (Some(node), None) => Ok(node),
        _ => Err(format!("there is not exactly one `{name}`")),
    }
}

/// The whole text of an element that has nothing else in it.
fn text<'a>(of: Node<'a, '_>) -> Result<&'a str, String> {
    let mut parts = of.children();
    match (parts.next(), parts.next()) {
        (Some(part), None) if part.is_text() => Ok(part.text().unwrap_or_default().trim()),
        (None, None) => Ok(""),
        _ => Err(format!("`{}` has more in it than a text", of.tag_name().name())),
    }
}

fn instant(of: Node<'_, '_>, name: &str) -> Result<Option<u64>, String> {
    let Some(text) = of.attribute(name) else { return Ok(None) };
    let parsed: Option<Timestamp> = text.parse().ok();
    let milliseconds = parsed.and_then(|it| u64::try_from(it.as_millisecond()).ok());
    // Far from where sums could overflow.
    let milliseconds = milliseconds.filter(|it| *it < u64::MAX / 4);
    milliseconds.map(Some).ok_or_else(|| format!("`{name}` is no time"))
}

/// The times of an element: not before, and before the end.
fn holds(of: Node<'_, '_>, now_ms: u64) -> Result<Option<u64>, String> {
    if instant(of, "NotBefore")?.is_some_and(|start| start > now_ms + SKEW_MS) {
        return Err("it does not hold yet".to_owned());
    }
    let end = instant(of, "NotOnOrAfter")?;
    if end.is_some_and(|end| end + SKEW_MS <= now_ms) {
        return Err("it does not hold any more".to_owned());
    }
    Ok(end)
}

fn conditions(conditions: Node<'_, '_>, addresses: &Addresses, now_ms: u64) -> Result<(), String> {
    holds(conditions, now_ms)?;
    let known = ["AudienceRestriction", "OneTimeUse", "ProxyRestriction"];
    let mut elements = conditions.children().filter(Node::is_element);
    if elements.any(|it| !known.iter().any(|name| it.has_tag_name((ASSERTION, *name)))) {
        return Err("it holds under a condition that is not known here".to_owned());
    }
    let restrictions: Vec<Node> = children(conditions, "AudienceRestriction").collect();
    let is_for_us = |it: &Node| children(*it, "Audience").any(|it| text(it) == Ok(addresses.entity_id.as_str()));
    match !restrictions.is_empty() && restrictions.iter().all(is_for_us) {
        true => Ok(()),
        false => Err("it is for another audience".to_owned()),
    }
}

/// Which request this answers and until when, by the first bearer confirmation that holds here and now.
fn confirmed(subject: Node<'_, '_>, addresses: &Addresses, now_ms: u64) -> Result<(String, u64), String> {
    let mut why = "nothing confirms the subject".to_owned();
    for confirmation in children(subject, "SubjectConfirmation").filter(|it| it.attribute("Method") == Some(BEARER)) {
        match confirms(confirmation, addresses, now_ms) {
            Ok(confirmed) => return Ok(confirmed),
            Err(reason) => why = reason,
        }
    }
    Err(why)
}

fn confirms(confirmation: Node<'_, '_>, addresses: &Addresses, now_ms: u64) -> Result<(String, u64), String> {
    let data = only(confirmation, "SubjectConfirmationData")?;
    if data.attribute("Recipient") != Some(addresses.consumer.as_str()) {
        return Err("the recipient is another one".to_owned());
    }
    let end = holds(data, now_ms)?.ok_or("the confirmation has no end")?;
    match data.attribute("InResponseTo") {
        Some(id) if !id.is_empty() && id.len() <= ID_BYTES_MAX => Ok((id.to_owned(), end + SKEW_MS)),
        _ => Err("the confirmation answers no request".to_owned()),
    }
}

fn person(assertion: Node<'_, '_>, subject: Node<'_, '_>, settings: &Saml) -> Result<Person, String> {
    let name_id = only(subject, "NameID")?;
    if name_id.attribute("Format") == Some(TRANSIENT) {
        return Err("the NameID is another one at every sign-in: ask for a persistent one".to_owned());
    }
    let subject = text(name_id)?.to_owned();
    let first = |name: &str| Ok::<_, String>(values(assertion, name)?.into_iter().next());
    let name = match &settings.name_attribute {
        Some(attribute) => first(attribute)?,
        None => None,
    };
    Ok(Person {
        method: METHOD,
        issuer: settings.peer.entity_id.clone(),
        name: name.unwrap_or_else(|| subject.clone()),
        email: first(&settings.email_attribute)?,
        groups: values(assertion, &settings.groups_attribute)?,
        subject,
    })
}

/// The values of an attribute, by its name or its friendly name.
fn values(assertion: Node<'_, '_>, name: &str) -> Result<Vec<String>, String> {
    let attributes = children(assertion, "AttributeStatement").flat_map(|it| children(it, "Attribute"));
    let called = |it: &Node| it.attribute("Name") == Some(name) || it.attribute("FriendlyName") == Some(name);
    let values = attributes.filter(called).flat_map(|it| children(it, "AttributeValue"));
    values.take(VALUES_MAX).map(|it| text(it).map(str::to_owned)).collect()
}
