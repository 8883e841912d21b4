//! `portcullis users`

use clap::Subcommand;
use portcullis_api::users::{CreateUser, User};
use portcullis_core::id::UserId;
use reqwest::Method;

use crate::client::{Ask, Client, PageArgs, show_page};
use crate::failure::Failure;
use crate::output::{self, or_dash};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a user
    #[command(after_help = "Example:\n  portcullis users create --email ann@example.com --name Ann")]
    Create {
        #[arg(long)]
        email: String,
        #[arg(long)]
        name: Option<String>,
    },
    /// List all users, newest first
    List {
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show one user
    Show { user: UserId },
    /// Disable a user: all their keys stop passing when this returns
    Disable { user: UserId },
    /// Enable a user again: their keys pass again
    Enable { user: UserId },
}

pub(crate) async fn run(ask: &Ask, command: Command) -> Result<(), Failure> {
    let client = Client::new(ask)?;
    let user = match command {
        Command::Create { email, name } => {
            client.send::<User>(Method::POST, "/users", Some(&CreateUser { email, name })).await?
        }
        Command::Show { user } => client.get(&format!("/users/{user}")).await?,
        Command::Disable { user } => client.send(Method::POST, &format!("/users/{user}/disable"), None::<&()>).await?,
        Command::Enable { user } => client.send(Method::POST, &format!("/users/{user}/enable"), None::<&()>).await?,
        Command::List { page } => {
            let page = client.page::<User>(&format!("/users{}", page.query())).await?;
            let row = |user: &User| {
                vec![
                    user.id.to_string(),
                    user.email.clone(),
                    user.name.clone(),
                    user.status.clone(),
                    user.created_at.to_string(),
                ]
            };
            return show_page(ask, &page, &["id", "email", "name", "status", "created"], row, "There are no users.");
        }
    };
    show(ask, &user.data)
}

fn show(ask: &Ask, user: &User) -> Result<(), Failure> {
    if ask.json {
        return output::json(user);
    }
    output::facts(&[
        ("id", user.id.to_string()),
        ("email", user.email.clone()),
        ("name", user.name.clone()),
        ("status", user.status.clone()),
        ("platform admin", if user.platform_admin { "yes" } else { "no" }.to_owned()),
        ("created", user.created_at.to_string()),
        ("disabled", or_dash(user.disabled_at)),
    ])
}
