//! Where uploaded and rendered files are kept.

use std::path::PathBuf;

use reqwest::Url;

use super::{ConfigError, web_address, wrong};
use crate::secrets::Secret;

/// Where uploaded and rendered files are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Objects {
    /// No keys are given: in the folder `objects` under `PROMOSTACK_HOME`.
    Folder(PathBuf),
    /// In a bucket of DigitalOcean Spaces or another S3-compatible service.
    Bucket(Bucket),
}

/// A bucket and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// `SPACES_BUCKET`.
    pub name: String,
    /// `SPACES_REGION`.
    pub region: String,
    /// `SPACES_ENDPOINT`, or DigitalOcean's for the region.
    pub endpoint: Url,
    /// Whether the endpoint's host names the bucket. If not, the path does.
    pub in_host: bool,
    /// `SPACES_ACCESS_KEY`.
    pub access_key: Secret,
    /// `SPACES_SECRET_KEY`.
    pub secret_key: Secret,
}

const ACCESS_KEY: &str = "SPACES_ACCESS_KEY";
const SECRET_KEY: &str = "SPACES_SECRET_KEY";
const BUCKET: &str = "SPACES_BUCKET";
const REGION: &str = "SPACES_REGION";
const ENDPOINT: &str = "SPACES_ENDPOINT";

impl Objects {
    pub(super) fn read(home: PathBuf, text: impl Fn(&'static str) -> Option<String>) -> Result<Self, ConfigError> {
        let (access_key, secret_key) = match (key(ACCESS_KEY, &text)?, key(SECRET_KEY, &text)?) {
            (Some(access_key), Some(secret_key)) => (access_key, secret_key),
            (Some(_), None) => return Err(wrong(SECRET_KEY, "is needed, as SPACES_ACCESS_KEY is given")),
            (None, Some(_)) => return Err(wrong(ACCESS_KEY, "is needed, as SPACES_SECRET_KEY is given")),
            (None, None) => {
                for name in [BUCKET, REGION, ENDPOINT] {
                    if text(name).is_some() {
                        return Err(wrong(name, "means nothing without SPACES_ACCESS_KEY and SPACES_SECRET_KEY"));
                    }
                }
                return Ok(Self::Folder(home.join("objects")));
            }
        };
        let Some(name) = text(BUCKET) else {
            return Err(wrong(BUCKET, "is needed, as SPACES_ACCESS_KEY is given"));
        };
        if !is_bucket_name(&name) {
            return Err(wrong(
                BUCKET,
                "must have 3 to 63 lower-case letters, digits, - and ., the first and last no - or .",
            ));
        }
        let region = text(REGION).unwrap_or("nyc3".to_owned());
        if !region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
            return Err(wrong(REGION, "must be a region such as nyc3"));
        }
        let (endpoint, in_host) = match web_address(ENDPOINT, text(ENDPOINT))? {
            Some(endpoint) => {
                if endpoint.query().is_some() || endpoint.fragment().is_some() {
                    return Err(wrong(ENDPOINT, "must have no query or fragment"));
                }
                if !endpoint.username().is_empty() || endpoint.password().is_some() {
                    return Err(wrong(ENDPOINT, "must have no user or password"));
                }
                // DigitalOcean shows the address of a bucket, which names it already.
                let in_host = endpoint.host_str().is_some_and(|host| host.starts_with(&format!("{name}.")));
                (endpoint, in_host)
            }
            None => {
                // The certificate is for one more name before the region, so a bucket with a dot goes into the path.
                let in_host = !name.contains('.');
                let bucket = if in_host { format!("{name}.") } else { String::new() };
                let address = format!("https://{bucket}{region}.digitaloceanspaces.com");
                (Url::parse(&address).map_err(|_| wrong(REGION, "must be a region such as nyc3"))?, in_host)
            }
        };
        Ok(Self::Bucket(Bucket { name, region, endpoint, in_host, access_key, secret_key }))
    }
}

/// A key goes into a header; one with a line break was copied wrongly.
fn key(name: &'static str, text: impl Fn(&'static str) -> Option<String>) -> Result<Option<Secret>, ConfigError> {
    match text(name) {
        None => Ok(None),
        Some(key) if key.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Some(Secret::new(key))),
        Some(_) => Err(wrong(name, "must have no spaces, line breaks or characters beyond ASCII")),
    }
}

/// AWS, "General purpose bucket naming rules"; DigitalOcean's are the same.
fn is_bucket_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
    (3..=63).contains(&name.len())
        && name.bytes().all(inner)
        && !name.starts_with(['-', '.'])
        && !name.ends_with(['-', '.'])
        && !name.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Objects, ConfigError> {
        Objects::read("/home".into(), |name| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    fn bucket(more: &[(&str, &str)]) -> Result<Bucket, ConfigError> {
        let mut variables = vec![(ACCESS_KEY, "DO00"), (SECRET_KEY, "hidden"), (BUCKET, "promo")];
        for (name, value) in more {
            variables.retain(|(n, _)| n != name);
            if !value.is_empty() {
                variables.push((name, value));
            }
        }
        match read(&variables)? {
            Objects::Bucket(bucket) => Ok(bucket),
            Objects::Folder(folder) => panic!("{folder:?}"),
        }
    }

    #[test]
    fn without_keys_it_is_a_folder() {
        assert_eq!(read(&[]).unwrap(), Objects::Folder("/home/objects".into()));
    }

    #[test]
    fn the_bucket_is_named_once() {
        for (variables, endpoint, in_host) in [
            (&[][..], "https://promo.nyc3.digitaloceanspaces.com/", true),
            (&[(REGION, "fra1")], "https://promo.fra1.digitaloceanspaces.com/", true),
            (&[(BUCKET, "promo.files")], "https://nyc3.digitaloceanspaces.com/", false),
            (&[(ENDPOINT, "http://127.0.0.1:9000")], "http://127.0.0.1:9000/", false),
            (&[(ENDPOINT, "https://nyc3.digitaloceanspaces.com")], "https://nyc3.digitaloceanspaces.com/", false),
            (
                &[(ENDPOINT, "https://promo.nyc3.digitaloceanspaces.com")],
                "https://promo.nyc3.digitaloceanspaces.com/",
                true,
            ),
        ] {
            let bucket = bucket(variables).unwrap();
            assert_eq!((bucket.endpoint.as_str(), bucket.in_host), (endpoint, in_host));
        }
    }

    #[test]
    fn half_a_configuration_names_the_other_half() {
        for (variables, missing) in [
            (&[(ACCESS_KEY, "a")][..], SECRET_KEY),
            (&[(SECRET_KEY, "s")], ACCESS_KEY),
            (&[(ACCESS_KEY, "a"), (SECRET_KEY, "s")], BUCKET),
            (&[(BUCKET, "promo")], BUCKET),
            (&[(ENDPOINT, "http://127.0.0.1")], ENDPOINT),
        ] {
            assert_eq!(read(variables).unwrap_err().variable, missing);
        }
    }

    #[test]
    fn what_makes_no_sense_is_named_and_not_shown() {
        for (variable, value) in [
            (ACCESS_KEY, "hid den"),
            (SECRET_KEY, "hidden\n"),
            (BUCKET, "Hidden"),
            (BUCKET, "hidden-"),
            (BUCKET, "hidden/../other"),
            (REGION, "hidden.example.com/"),
            (ENDPOINT, "ftp://hidden"),
            (ENDPOINT, "https://user:hidden@example.com"),
            (ENDPOINT, "https://example.com?hidden"),
        ] {
            let error = bucket(&[(variable, value)]).unwrap_err();
            assert_eq!(error.variable, variable);
            assert!(!error.to_string().contains("hidden"), "{error}");
        }
    }
}
