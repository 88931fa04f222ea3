"""A real SAML identity provider (PyPI `pysaml2`), good and bad: the responses of the tests are made here.

Writes its metadata into the folder given, says so, reads the address of a file with the policy server's metadata, and
then, for each line {"case": …, "url": …}, answers with the response to that request, base64.
"""

import base64
import datetime
import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlparse

from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT, class_name
from saml2.config import IdPConfig
from saml2.metadata import entity_descriptor
from saml2.saml import NAMEID_FORMAT_PERSISTENT, NAMEID_FORMAT_TRANSIENT, NameID
from saml2.server import Server
from saml2.sigver import pre_signature_part, signed_instance_factory
from saml2.xmldsig import DIGEST_SHA1, DIGEST_SHA256, SIG_RSA_SHA1, SIG_RSA_SHA256

USER, OTHER = "anna@company.example", "olga@company.example"
PASSWORD = {"class_ref": "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport", "authn_auth": "here"}


def keys(folder, name):
    """A key and a certificate of its own, made now."""
    key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tests"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return {"key_file": str(key), "cert_file": str(certificate)}


def settings(folder, name, metadata=None):
    sso = [("http://127.0.0.1:9/sso", BINDING_HTTP_REDIRECT)]
    return {
        "entityid": "https://idp.company.example",
        "service": {"idp": {"endpoints": {"single_sign_on_service": sso}, "policy": {"default": {}}}},
        "xmlsec_binary": "/usr/bin/xmlsec1",
        **keys(folder, name),
        **({"metadata": {"local": [metadata]}} if metadata else {}),
    }


class Provider:
    def __init__(self, server, other):
        self.server, self.other = server, other

    def request(self, url):
        query = parse_qs(urlparse(url).query)
        message = self.server.parse_authn_request(query["SAMLRequest"][0], BINDING_HTTP_REDIRECT).message
        return self.server.response_args(message, [BINDING_HTTP_POST])

    def made(self, url, edit=None, sign=("assertion",), algorithms=(DIGEST_SHA256, SIG_RSA_SHA256), server=None,
             name_format=NAMEID_FORMAT_PERSISTENT, groups=("guild",)):
        """A response, edited before it is signed."""
        arguments = self.request(url)
        response = self.server.create_authn_response(
            {"eduPersonAffiliation": list(groups), "mail": [USER]},
            in_response_to=arguments["in_response_to"],
            destination=arguments["destination"],
            sp_entity_id=arguments["sp_entity_id"],
            name_id=NameID(format=name_format, text=USER),
            authn=PASSWORD,
            sign_response=False,
            sign_assertion=False,
        )
        if edit:
            edit(response)
        security, signed = (server or self.server).sec, []
        for part in [response.assertion] if "assertion" in sign else []:
            part.signature = pre_signature_part(part.id, security.my_cert, 1, *algorithms)
            signed.append((class_name(part), part.id))
        if "response" in sign:
            response.signature = pre_signature_part(response.id, security.my_cert, 2, *algorithms)
            signed.append((class_name(response), response.id))
        return str(signed_instance_factory(response, security, signed)) if signed else str(response)


def element(xml, name):
    """The text of the first element of this name, with its tags."""
    return re.search(rf"<(\w+:{name})[ >].*?</\1>", xml, re.DOTALL).group(0)


def evil(assertion):
    """The same assertion about somebody else, unsigned."""
    unsigned = assertion.replace(element(assertion, "Signature"), "")
    return re.sub(r' ID="[^"]*"', ' ID="evil"', unsigned, count=1).replace(USER, OTHER)


def into(element_text, child):
    """The element with one more child, the last."""
    return re.sub(r"(</[\w:]+>)$", lambda end: child + end.group(1), element_text)


def wrapped(number, provider, url):
    """The wrappings of "On Breaking SAML": 1 and 2 of a signed response, 3 to 8 of a signed assertion."""
    if number <= 2:
        xml = re.sub(r"^<\?xml.*?\?>\s*", "", provider.made(url, sign=("response",)))
        signature = re.search(r"<(\w+:Signature)[ >].*?</\1>", xml, re.DOTALL).group(0)
        original = xml.replace(signature, "")
        other = re.sub(r' ID="[^"]*"', ' ID="evil"', original, count=1).replace(USER, OTHER)
        if number == 1:
            return re.sub(r"(<[\w:]*Assertion[ >])", lambda at: into(signature, original) + at.group(1), other, count=1)
        return re.sub(r"(<[\w:]*Assertion[ >])", lambda at: original + signature + at.group(1), other, count=1)
    xml = provider.made(url)
    assertion = element(xml, "Assertion")
    signature = element(assertion, "Signature")
    bare, other = assertion.replace(signature, ""), evil(assertion)
    prefix = re.match(r"<(\w+):", xml[xml.index("Response") - 8 :][xml[xml.index("Response") - 8 :].index("<") :]).group(1)
    dsig = re.match(r"<(\w+):", signature).group(1)
    signed_other = re.sub(r"(</\w+:Issuer>)", lambda end: end.group(1) + signature, other, count=1)
    box = f"<{dsig}:Object>{{}}</{dsig}:Object>"
    boxed = into(signature, box.format(bare))
    return xml.replace(assertion, {
        3: other + assertion,
        4: into(other, assertion),
        5: signed_other + bare,
        6: re.sub(r"(</\w+:Issuer>)", lambda end: end.group(1) + into(signature, bare), other, count=1),
        7: f"<{prefix}:Extensions>{other}</{prefix}:Extensions>{assertion}",
        8: re.sub(r"(</\w+:Issuer>)", lambda end: end.group(1) + boxed, other, count=1),
    }[number])


def set_to(path, value):
    """Edits one attribute, deep within a response."""

    def edit(response):
        *names, last = path
        for name in names:
            response = response[name] if isinstance(name, int) else getattr(response, name)
        setattr(response, last, value)

    return edit


def at(minutes):
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


CONFIRMATION = ("assertion", "subject", "subject_confirmation", 0, "subject_confirmation_data")
EDITS = {
    "stale": set_to(("assertion", "conditions", "not_on_or_after"), at(-5)),
    "early": set_to(("assertion", "conditions", "not_before"), at(5)),
    "old": set_to(("assertion", "issue_instant"), at(-30)),
    "unconfirmed": set_to((*CONFIRMATION, "not_on_or_after"), at(-5)),
    "endless": set_to((*CONFIRMATION, "not_on_or_after"), None),
    "recipient": set_to((*CONFIRMATION, "recipient"), "https://other.example/acs"),
    "confirmation_of_another": set_to((*CONFIRMATION, "in_response_to"), "_other"),
    "confirmation_of_none": set_to((*CONFIRMATION, "in_response_to"), None),
    "holder_of_key": set_to(CONFIRMATION[:-1] + ("method",), "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"),
    "audience": set_to(
        ("assertion", "conditions", "audience_restriction", 0, "audience", 0, "text"), "https://other.example"
    ),
    "no_audience": set_to(("assertion", "conditions", "audience_restriction"), []),
    "issuer": set_to(("assertion", "issuer", "text"), "https://other.example"),
    "outer_issuer": set_to(("issuer", "text"), "https://other.example"),
    "destination": set_to(("destination",), "https://other.example/acs"),
    "status": set_to(("status", "status_code", "value"), "urn:oasis:names:tc:SAML:2.0:status:Responder"),
    "no_sign_in": set_to(("assertion", "authn_statement"), []),
    "idp_initiated": set_to(("in_response_to",), None),
}


def response(provider, case, url):
    if case in EDITS:
        return provider.made(url, EDITS[case])
    if case.startswith("xsw"):
        return wrapped(int(case[3:]), provider, url)
    if case == "wrong_key":
        return provider.made(url, server=provider.other)
    if case == "transient":
        return provider.made(url, name_format=NAMEID_FORMAT_TRANSIENT)
    if case == "no_group":
        return provider.made(url, groups=["others"])
    if case == "unsigned":
        return provider.made(url, sign=())
    if case == "response_signed":
        return provider.made(url, sign=("response",))
    if case == "both_signed":
        return provider.made(url, sign=("assertion", "response"))
    if case == "sha1":
        return provider.made(url, algorithms=(DIGEST_SHA1, SIG_RSA_SHA1))
    if case == "sha1_digest":
        return provider.made(url, algorithms=(DIGEST_SHA1, SIG_RSA_SHA256))
    xml = provider.made(url)
    assertion = element(xml, "Assertion")
    return {
        "good": lambda: xml,
        "tampered": lambda: xml.replace(USER, OTHER),
        "comment": lambda: xml.replace(f">{USER}<", f">{USER[:4]}<!-- -->{USER[4:]}<"),
        "instruction": lambda: xml.replace(f">{USER}<", f">{USER[:4]}<?a b?>{USER[4:]}<"),
        "twice": lambda: xml.replace(assertion, assertion + assertion),
        "entity": lambda: re.sub(r"^(<\?xml.*?\?>)?", r'\1<!DOCTYPE a [<!ENTITY b "c">]>', xml, count=1),
        "reference": lambda: re.sub(r'URI="#[^"]*"', 'URI="file:///etc/passwd"', xml),
        "whole_document": lambda: re.sub(r'URI="#[^"]*"', 'URI=""', xml),
        "transform": lambda: xml.replace(
            "http://www.w3.org/2000/09/xmldsig#enveloped-signature", "http://www.w3.org/TR/1999/REC-xslt-19991116"
        ),
        "deep": lambda: xml.replace(assertion, "<a>" * 5000 + assertion + "</a>" * 5000),
        "nothing": lambda: "",
        "no_xml": lambda: "<",
    }[case]()


def main():
    folder = Path(sys.argv[1])
    config = settings(folder, "idp")
    described = str(entity_descriptor(IdPConfig().load(config)))
    (folder / "idp.xml").write_text(described)
    print("described", flush=True)
    with_peer = {**config, "metadata": {"local": [sys.stdin.readline().strip()]}}
    other = {**with_peer, **keys(folder, "other")}
    provider = Provider(Server(config=IdPConfig().load(with_peer)), Server(config=IdPConfig().load(other)))
    for line in sys.stdin:
        asked = json.loads(line)
        xml = response(provider, asked["case"], asked["url"])
        print(base64.b64encode(xml.encode()).decode(), flush=True)


main()
