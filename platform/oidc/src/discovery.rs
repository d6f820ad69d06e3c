//! The issuer's document (OpenID Connect Discovery 1.0, RFC 8414).

use pdm_ports::{Class, Fault};
use reqwest::Url;
use serde::Deserialize;

use crate::fetch::safe_url;

/// The members that are used.
#[derive(Debug, Deserialize)]
pub(crate) struct Document {
    issuer: String,
    jwks_uri: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    end_session_endpoint: Option<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// Where things are.
#[derive(Debug, Clone)]
pub(crate) struct Endpoints {
    pub jwks: Url,
    pub authorization: Option<Url>,
    pub token: Option<Url>,
    pub end_session: Option<Url>,
    /// Every answer of the authorization endpoint names its issuer (RFC 9207).
    pub names_issuer: bool,
}

/// Where the document is.
pub(crate) fn address(issuer: &str) -> Result<Url, Fault> {
    safe_url(&format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/')))
}

impl Document {
    /// The endpoints, if the document is this issuer's.
    pub fn endpoints(self, issuer: &str) -> Result<Endpoints, Fault> {
        // Anything else would let one issuer speak for another (Discovery 4.3).
        if self.issuer != issuer {
            let detail = format!("the document is of {:?}, not of {issuer:?}", self.issuer);
            return Err(Fault::new(Class::Rejected, "oidc-issuer", detail));
        }
        let optional = |text: Option<String>| text.as_deref().map(safe_url).transpose();
        Ok(Endpoints {
            jwks: safe_url(&self.jwks_uri)?,
            authorization: optional(self.authorization_endpoint)?,
            token: optional(self.token_endpoint)?,
            end_session: optional(self.end_session_endpoint)?,
            names_issuer: self.authorization_response_iss_parameter_supported,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(issuer: &str, jwks: &str) -> Document {
        serde_json::from_value(serde_json::json!({ "issuer": issuer, "jwks_uri": jwks, "extra": [1] }))
            .unwrap()
    }

    #[test]
    fn a_document_speaks_for_its_issuer_only() {
        assert!(document("https://a", "https://a/keys").endpoints("https://a").is_ok());
        assert_eq!(
            document("https://b", "https://a/keys").endpoints("https://a").unwrap_err().code,
            "oidc-issuer"
        );
        assert_eq!(
            document("https://a", "http://a/keys").endpoints("https://a").unwrap_err().code,
            "oidc-address"
        );
    }

    #[test]
    fn the_document_lies_below_the_issuer() {
        let at = |issuer| address(issuer).unwrap().to_string();
        assert_eq!(at("https://a/realms/x"), "https://a/realms/x/.well-known/openid-configuration");
        assert_eq!(at("https://a/"), "https://a/.well-known/openid-configuration");
    }
}
