//! `portcullis whoami`: what the token in PORTCULLIS_TOKEN is, and what it may do.

use portcullis_api::whoami::WhoAmI;

use crate::client::{Ask, Client};
use crate::failure::Failure;
use crate::output;

pub(crate) async fn run(ask: &Ask) -> Result<(), Failure> {
    let me = Client::new(ask)?.get::<WhoAmI>("/whoami").await?.data;
    if ask.json {
        return output::json(&me);
    }
    match me {
        WhoAmI::OperatorKey(key) => output::facts(&[
            ("kind", "operator key".to_owned()),
            ("id", key.key_id.to_string()),
            ("grants", key.grants.iter().map(|grant| grant.name()).collect::<Vec<_>>().join(", ")),
        ]),
        WhoAmI::User(user) => output::facts(&[("kind", "user".to_owned()), ("id", user.user_id.to_string())]),
        WhoAmI::ApiKey(key) => {
            output::facts(&[
                ("kind", "API key".to_owned()),
                ("id", key.key_id.to_string()),
                ("name", key.name),
                ("owner", key.user_id.to_string()),
            ])?;
            let row = |reach: &portcullis_api::whoami::BusinessReach| {
                vec![reach.business_id.to_string(), reach.permissions.join(", ")]
            };
            output::table(&["business", "may"], key.businesses.iter().map(row).collect(), "It reaches no business.")
        }
    }
}
