//! Secrets leave a vendor's answer before anybody reads it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pdm_ports::registrar::Credential;
use zeroize::Zeroizing;

const MARK: &[u8] = b"<redacted>";

/// Replace every secret of `credential` in `body`, in the forms in which answers repeat what they were sent.
pub(crate) fn redact(body: Vec<u8>, credential: &Credential) -> Vec<u8> {
    let mut body = body;
    for secret in credential.secrets() {
        for form in forms(secret) {
            if let Some(cleaned) = replace(&body, form.as_bytes()) {
                body = cleaned;
            }
        }
    }
    body
}

/// Plain, percent-encoded, as JSON and as XML write it, and in base64.
fn forms(secret: &str) -> Vec<Zeroizing<String>> {
    let percent: String = secret
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect();
    let json = secret.replace('\\', "\\\\").replace('"', "\\\"");
    let slashed = json.replace('/', "\\/");
    let xml = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    [secret.to_owned(), percent, json, slashed, xml, STANDARD.encode(secret)].map(Zeroizing::new).into()
}

/// Letters are compared without case: some vendors repeat keys in capitals.
fn replace(body: &[u8], needle: &[u8]) -> Option<Vec<u8>> {
    let first = needle.first()?;
    let mut out = Vec::new();
    let (mut from, mut at) = (0, 0);
    while at + needle.len() <= body.len() {
        if body[at].eq_ignore_ascii_case(first) && body[at..at + needle.len()].eq_ignore_ascii_case(needle) {
            out.extend_from_slice(&body[from..at]);
            out.extend_from_slice(MARK);
            at += needle.len();
            from = at;
        } else {
            at += 1;
        }
    }
    if from == 0 {
        return None;
    }
    out.extend_from_slice(&body[from..]);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pdm_ports::registrar::CredentialField;

    #[test]
    fn a_repeated_secret_goes_in_every_form() {
        const FIELDS: &[CredentialField] =
            &[CredentialField { name: "key", label: "", secret: true, optional: false, help: "" }];
        let given = [("key".to_owned(), Zeroizing::new("Ab/c&d\"efgh".to_owned()))].into();
        let credential = Credential::parse(FIELDS, given).unwrap();
        let echoes = "Ab/c&d\"efgh AB/C&D\"EFGH Ab%2Fc%26d%22efgh Ab\\/c&d\\\"efgh Ab/c&amp;d&quot;efgh rest";
        let clean = String::from_utf8(redact(echoes.as_bytes().to_vec(), &credential)).unwrap();
        assert_eq!(clean, "<redacted> <redacted> <redacted> <redacted> <redacted> rest");
        assert_eq!(redact(b"nothing".to_vec(), &credential), b"nothing");
        assert_eq!(format!("{credential:?}"), "{\"key\": \"<redacted>\"}");
    }
}
