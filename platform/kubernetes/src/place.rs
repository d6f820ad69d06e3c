//! Where Kubernetes' API is, and who we are there.

use std::path::PathBuf;

use pdm_model::may_carry_secrets;
use reqwest::Url;

use crate::api::Problem;

/// What every pod with a service account finds.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// An API server.
#[derive(Debug, Clone)]
pub struct Place {
    /// Its address.
    pub url: String,
    /// Authorities of its certificate, PEM; the system's when left out.
    pub authorities: Option<PathBuf>,
    /// A bearer token, read again for each request: Kubernetes replaces it every hour.
    pub token: Option<PathBuf>,
}

impl Place {
    /// From inside a pod.
    ///
    /// # Errors
    /// This is no pod.
    pub fn in_cluster(env: impl Fn(&str) -> Option<String>) -> Result<Self, Problem> {
        let found = env("KUBERNETES_SERVICE_HOST").zip(env("KUBERNETES_SERVICE_PORT"));
        let (host, port) = found.ok_or_else(|| {
            Problem::Place("KUBERNETES_SERVICE_HOST is not set: this is no pod; say --kubernetes URL".into())
        })?;
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        let file = |name: &str| Some(PathBuf::from(ACCOUNT).join(name));
        Ok(Self { url: format!("https://{host}:{port}"), authorities: file("ca.crt"), token: file("token") })
    }

    /// The address, if a token may be shown there.
    pub(crate) fn base(&self) -> Result<Url, Problem> {
        let wrong = |why: &str| Problem::Place(format!("{:?}: {why}", self.url));
        let url = Url::parse(&self.url).map_err(|e| wrong(&e.to_string()))?;
        may_carry_secrets(url.scheme(), url.host_str()).map_err(wrong)?;
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_finds_its_api_and_a_token_is_not_shown_in_the_clear() {
        let env = |name: &str| match name {
            "KUBERNETES_SERVICE_HOST" => Some("fd00::1".to_owned()),
            "KUBERNETES_SERVICE_PORT" => Some("443".to_owned()),
            _ => None,
        };
        let place = Place::in_cluster(env).unwrap();
        assert_eq!(place.base().unwrap().as_str(), "https://[fd00::1]/");
        assert!(Place::in_cluster(|_| None).unwrap_err().to_string().contains("--kubernetes"));
        let at = |url: &str| Place { url: url.into(), authorities: None, token: None }.base();
        assert!(at("http://127.0.0.1:8001").is_ok() && at("http://[::1]:8001").is_ok());
        assert!(at("http://10.0.0.1:8001").is_err() && at("nonsense").is_err());
    }
}
