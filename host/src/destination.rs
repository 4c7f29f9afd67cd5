//! Decides where a plugin's HTTP requests may go: reads `grant.http`, and compares hosts and addresses with it. Pure.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use url::{Host, Url};

pub use self::address::{Class, class};

mod address;

/// One entry of `grant.http`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Whether TLS is spoken; only an entry that begins with `http://` goes without.
    pub is_secure: bool,
    /// Which hosts.
    pub host: Hosts,
    /// The one port.
    pub port: u16,
    /// Whether the hosts may lie in a private network.
    pub is_private: bool,
}

/// Which hosts an entry covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hosts {
    /// This name, in lower case and in its ASCII form.
    Name(String),
    /// Every name below this one, at any depth, but not the name itself (`*.example.com`).
    Below(String),
    /// This address.
    Address(IpAddr),
}

/// Why an entry of `grant.http` is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    /// It is no host with an optional scheme and port.
    #[error(
        "must be a host such as \"api.example.com\", \"api.example.com:8443\", \"*.example.com\" or \"http://old.example.com\", not {0:?}"
    )]
    Form(String),
    /// It names too many hosts.
    #[error("{0:?} would cover every host of a top-level domain; name the domain in full")]
    TooWide(String),
    /// A wildcard cannot be private.
    #[error("a private destination is named in full, not by the wildcard {0:?}")]
    PrivateWildcard(String),
    /// The address needs the word.
    #[error(
        "the address {0} is {1}; to reach it all the same, write {{ host = {2:?}, private = true }}"
    )]
    NotPrivate(IpAddr, &'static str, String),
    /// The address is out of reach.
    #[error("the address {0} cannot be granted, because it is {1}")]
    Never(IpAddr, &'static str),
}

impl Destination {
    /// Reads an entry: a host with an optional scheme before and port after it. `port`, where given, is the port.
    pub fn parse(
        text: &str,
        port: Option<u16>,
        is_private: bool,
    ) -> Result<Self, DestinationError> {
        let wrong = || DestinationError::Form(text.to_owned());
        let (is_secure, rest) = match text.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            Some(_) => return Err(wrong()),
            None => (true, text),
        };
        let (is_below, rest) = match rest.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let (host, own_port) = split(rest, is_secure).ok_or_else(wrong)?;
        if port.is_some() && rest_has_port(rest) || own_port == 0 || port == Some(0) {
            return Err(wrong());
        }
        let host = match host {
            Host::Domain(name) if !is_below => Hosts::Name(name),
            Host::Domain(name) if is_private => {
                return Err(DestinationError::PrivateWildcard(format!("*.{name}")));
            }
            Host::Domain(name) if !name.trim_end_matches('.').contains('.') => {
                return Err(DestinationError::TooWide(format!("*.{name}")));
            }
            Host::Domain(name) => Hosts::Below(name),
            _ if is_below => return Err(wrong()),
            Host::Ipv4(address) => Hosts::Address(address.into()),
            Host::Ipv6(address) => Hosts::Address(address.into()),
        };
        if let Hosts::Address(address) = host {
            match class(address) {
                Class::Public => {}
                Class::Private(_) if is_private => {}
                Class::Private(range) => {
                    return Err(DestinationError::NotPrivate(
                        address,
                        range,
                        text.to_owned(),
                    ));
                }
                Class::Never(range) => return Err(DestinationError::Never(address, range)),
            }
        }
        Ok(Self {
            is_secure,
            host,
            port: port.unwrap_or(own_port),
            is_private,
        })
    }

    fn covers(&self, target: &Target) -> bool {
        let is_host = match (&self.host, &target.host) {
            (Hosts::Name(granted), Host::Domain(asked)) => granted == asked,
            (Hosts::Below(granted), Host::Domain(asked)) => asked
                .strip_suffix(granted)
                .and_then(|head| head.strip_suffix('.'))
                .is_some_and(|head| !head.is_empty()),
            (Hosts::Address(IpAddr::V4(granted)), Host::Ipv4(asked)) => granted == asked,
            (Hosts::Address(IpAddr::V6(granted)), Host::Ipv6(asked)) => granted == asked,
            _ => false,
        };
        is_host && self.is_secure == target.is_secure && self.port == target.port
    }
}

/// As it can be written in `grant.http`.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_secure {
            f.write_str("http://")?;
        }
        match &self.host {
            Hosts::Name(name) => f.write_str(name)?,
            Hosts::Below(name) => write!(f, "*.{name}")?,
            Hosts::Address(IpAddr::V4(address)) => write!(f, "{address}")?,
            Hosts::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
        }
        if self.port == default_port(self.is_secure) {
            Ok(())
        } else {
            write!(f, ":{}", self.port)
        }
    }
}

const fn default_port(is_secure: bool) -> u16 {
    if is_secure { 443 } else { 80 }
}

/// Host and port of an authority that has neither user nor anything else, as browsers read it: names in lower case and
/// ASCII, addresses in whatever spelling (decimal, octal, hexadecimal, short) as addresses.
fn split(authority: &str, is_secure: bool) -> Option<(Host<String>, u16)> {
    // Each of these would end the authority, or begin something that is none.
    let is_odd = |c: char| {
        c.is_whitespace() || c.is_control() || matches!(c, '/' | '\\' | '?' | '#' | '@' | '*')
    };
    if authority.is_empty() || authority.contains(is_odd) {
        return None;
    }
    let scheme = if is_secure { "https" } else { "http" };
    let url = Url::parse(&format!("{scheme}://{authority}/")).ok()?;
    if url.path() != "/" || !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    Some((url.host()?.to_owned(), url.port_or_known_default()?))
}

fn rest_has_port(authority: &str) -> bool {
    authority
        .rsplit_once(':')
        .is_some_and(|(_, port)| !port.contains(']'))
}

/// Where a request goes, once its grant was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Whether TLS is spoken.
    pub is_secure: bool,
    /// The host.
    pub host: Host<String>,
    /// The port.
    pub port: u16,
    is_private: bool,
}

/// Why a request may not go where it wants.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The address of the request cannot be read, names a user, or is neither `http` nor `https`.
    #[error("the request has no address of the form https://host[:port]/path")]
    Address,
    /// No entry of the grant covers it.
    #[error("the plugin's grant `http` in bot.toml does not cover {0}")]
    NotGranted(String),
    /// Its host lies where the grant does not lead.
    #[error("{0} has only addresses that the plugin's grant `http` does not reach: {1} is {2}")]
    OutOfReach(String, IpAddr, &'static str),
}

/// Finds the grant of a request by what it says, before anything is looked up.
pub fn admit(grants: &[Destination], scheme: &str, authority: &str) -> Result<Target, Refusal> {
    let is_secure = match scheme {
        "https" => true,
        "http" => false,
        _ => return Err(Refusal::Address),
    };
    let (host, port) = split(authority, is_secure).ok_or(Refusal::Address)?;
    let mut target = Target {
        is_secure,
        host,
        port,
        is_private: false,
    };
    let mut covering = grants
        .iter()
        .filter(|grant| grant.covers(&target))
        .peekable();
    if covering.peek().is_none() {
        return Err(Refusal::NotGranted(target.to_string()));
    }
    target.is_private = covering.any(|grant| grant.is_private);
    Ok(target)
}

impl Target {
    /// Of the addresses of the host, those that the grant reaches: exactly these may be connected to. For a host that
    /// is an address itself that is this one.
    pub fn reachable(&self, resolved: &[SocketAddr]) -> Result<Vec<SocketAddr>, Refusal> {
        let mut refused = None;
        let mut reachable = Vec::new();
        for address in resolved {
            match class(address.ip()) {
                Class::Public => {}
                Class::Private(_) if self.is_private => {}
                Class::Private(range) | Class::Never(range) => {
                    refused.get_or_insert((address.ip(), range));
                    continue;
                }
            }
            reachable.push(SocketAddr::new(address.ip(), self.port));
        }
        match refused {
            Some((address, range)) if reachable.is_empty() => {
                Err(Refusal::OutOfReach(self.to_string(), address, range))
            }
            _ => Ok(reachable),
        }
    }

    /// The address that the host is, unless it is a name.
    pub fn literal(&self) -> Option<IpAddr> {
        match &self.host {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some((*address).into()),
            Host::Ipv6(address) => Some((*address).into()),
        }
    }

    /// Host and port in their one spelling, the port left out where it is the scheme's own.
    pub fn authority(&self) -> String {
        if self.port == default_port(self.is_secure) {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The scheme.
    pub fn scheme(&self) -> &'static str {
        if self.is_secure { "https" } else { "http" }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.authority())
    }
}

impl FromStr for Destination {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, DestinationError> {
        Self::parse(text, None, false)
    }
}

#[cfg(test)]
mod tests;
