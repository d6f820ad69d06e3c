//! Where OpenBao is, and who PDM is there.

use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

/// What is configured.
#[derive(Clone)]
pub struct Settings {
    /// `https://HOST:PORT`; plain http on this machine only.
    pub url: String,
    /// The namespace, where the server has them.
    pub namespace: Option<String>,
    /// How to log in.
    pub login: Login,
    /// Certificate authorities of the server, PEM; the system's when left out.
    pub authorities: Option<PathBuf>,
    /// TLS as a workload of a mesh: shows and checks identities that change while we run. In place of `authorities`.
    pub tls: Option<rustls::ClientConfig>,
}

/// How to log in. Files are read at every login, because they are replaced while we run.
#[derive(Clone)]
pub enum Login {
    /// A JWT in a file; the service account's token in Kubernetes.
    Jwt {
        /// Where the method is mounted: `jwt`, `kubernetes`.
        mount: String,
        /// The role at the method.
        role: String,
        /// The file.
        file: PathBuf,
    },
    /// The client certificate.
    Certificate {
        /// Where the method is mounted.
        mount: String,
        /// The role at the method; any that fits when left out.
        role: Option<String>,
        /// Certificate chain and key, PEM; none when [`Settings::tls`] shows one.
        files: Option<(PathBuf, PathBuf)>,
    },
    /// A token that somebody else keeps alive, in a file.
    TokenFile(PathBuf),
    /// A token that stays as it is.
    Token(Zeroizing<String>),
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("url", &self.url).field("login", &self.login).finish_non_exhaustive()
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Jwt { mount, role, file } => write!(f, "Jwt({mount}, {role}, {})", file.display()),
            Self::Certificate { mount, role, .. } => write!(f, "Certificate({mount}, {role:?})"),
            Self::TokenFile(file) => write!(f, "TokenFile({})", file.display()),
            Self::Token(_) => f.write_str("Token(<redacted>)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_never_printed() {
        let login = Login::Token(Zeroizing::new("s.swordfish".to_owned()));
        assert!(!format!("{login:?}").contains("swordfish"));
    }
}
