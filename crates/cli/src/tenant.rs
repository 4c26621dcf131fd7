//! The tenant that a command or a value is for.

use std::convert::Infallible;
use std::str::FromStr;

use clap::Args;
use shenfen_core::Tenant;

/// Whose jobs and results a command is about.
#[derive(Args)]
pub(crate) struct TenantArgs {
    /// Tenant whose jobs and results these are; other than the default only with a database on a server
    #[arg(long, global = true, env = "SHENFEN_TENANT", value_name = "NAME", default_value_t = Tenant::DEFAULT)]
    pub(crate) tenant: Tenant,
}

/// A value that holds for one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OfTenant<T> {
    pub(crate) tenant: Tenant,
    pub(crate) value: T,
}

/// `TENANT=VALUE`, or `VALUE` for the default tenant. What is before the first `=` is a tenant only if it can be one's name, so that a path
/// with such a sign in it may be written from `/` or `./`.
impl<T: From<String>> FromStr for OfTenant<T> {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<OfTenant<T>, Infallible> {
        let named = text.split_once('=').and_then(|(name, value)| Some((name.parse().ok()?, value)));
        let (tenant, value) = named.unwrap_or((Tenant::DEFAULT, text));
        Ok(OfTenant { tenant, value: value.to_owned().into() })
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn value_belongs_to_the_tenant_before_it() {
        let of = |text: &str| {
            let Ok(OfTenant { tenant, value }) = text.parse::<OfTenant<PathBuf>>();
            (tenant.to_string(), value.display().to_string())
        };
        let pair = |tenant: &str, value: &str| (tenant.to_owned(), value.to_owned());
        assert_eq!(of("/data/cards"), pair("default", "/data/cards"));
        assert_eq!(of("acme=/data/acme"), pair("acme", "/data/acme"));
        assert_eq!(of("acme=a=b"), pair("acme", "a=b"));
        for path in ["/data/a=b", "./a=b"] {
            assert_eq!(of(path), pair("default", path));
        }
    }
}
