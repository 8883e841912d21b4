//! Behind a gateway that asks Portcullis itself, and says in headers who calls.
//!
//! The headers are worth as much as the way they came: they are read only where the other end of the connection is the gateway. It
//! must overwrite whatever of them a client sends, and let no path through about which it has not asked. Of `/api/v1/user` it alone
//! knows that the key has user management.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use portcullis_tower::{BusinessId, Businesses};

use crate::problem::Error;
use crate::reach::Identity;

pub(crate) fn identity(parts: &Parts, gateways: &[IpAddr]) -> Result<Identity, Error> {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.ip().to_canonical());
    if !peer.is_some_and(|peer| gateways.iter().any(|gateway| gateway.to_canonical() == peer)) {
        return Err(Error::NoCredential);
    }
    let user = header(parts, "x-portcullis-user-id")?;
    if user.is_empty() {
        return Err(Error::NoCredential);
    }
    let business = Some(header(parts, "x-portcullis-business-id")?).filter(|text| !text.is_empty());
    let businesses = match header(parts, "x-portcullis-businesses")? {
        "*" => Businesses::ALL,
        list => Businesses::These(words(list).map(read).collect::<Result<_, _>>()?),
    };
    let business: Option<BusinessId> = business.map(read).transpose()?;
    Ok(Identity {
        user: read(user)?,
        business,
        businesses,
        permissions: words(header(parts, "x-portcullis-permissions")?).map(str::to_owned).collect(),
    })
}

/// A header of the gateway. One that comes twice was not overwritten, and is nobody's word.
fn header<'a>(parts: &'a Parts, name: &str) -> Result<&'a str, Error> {
    let mut all = parts.headers.get_all(name).iter();
    match (all.next().map(|value| value.to_str()), all.next()) {
        (None, _) => Ok(""),
        (Some(Ok(text)), None) => Ok(text.trim()),
        _ => Err(Error::Unavailable),
    }
}

fn words(list: &str) -> impl Iterator<Item = &str> {
    list.split([',', ' ']).filter(|word| !word.is_empty())
}

/// What cannot be read is the gateway's fault, and not the client's.
fn read<T: FromStr>(text: &str) -> Result<T, Error> {
    text.parse().map_err(|_| Error::Unavailable)
}
