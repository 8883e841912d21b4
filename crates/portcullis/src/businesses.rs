//! `portcullis businesses`: workspaces, their members and roles.

use clap::Subcommand;
use portcullis_api::businesses::{Business, CreateBusiness, Member, Role, SetMember};
use portcullis_core::id::{BusinessId, UserId};
use reqwest::Method;

use crate::client::{Ask, Client, PageArgs, show_page};
use crate::failure::Failure;
use crate::output::{self, or_dash};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a business
    #[command(after_help = "Example:\n  portcullis businesses create --name 'Dental Clinic' --owner usr_…")]
    Create {
        #[arg(long)]
        name: String,
        /// Who becomes its first owner
        #[arg(long, value_name = "USR")]
        owner: Option<UserId>,
    },
    /// List all businesses, newest first
    List {
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show one business
    Show { business: BusinessId },
    /// Disable a business: no key passes for it when this returns
    Disable { business: BusinessId },
    /// Enable a business again
    Enable { business: BusinessId },
    /// List its members
    Members { business: BusinessId },
    /// List the roles that its members can have
    Roles { business: BusinessId },
    /// Make a user a member, or give a member another role
    SetMember {
        business: BusinessId,
        user: UserId,
        /// owner, admin, member, viewer, or the id of a role
        #[arg(long)]
        role: String,
    },
    /// End a membership: the user's keys do not reach the business when this returns
    RemoveMember { business: BusinessId, user: UserId },
}

pub(crate) async fn run(ask: &Ask, command: Command) -> Result<(), Failure> {
    let client = Client::new(ask)?;
    match command {
        Command::Create { name, owner } => {
            let body = CreateBusiness { name, owner_id: owner.map(|owner| owner.to_string()) };
            show(ask, &client.send(Method::POST, "/businesses", Some(&body)).await?.data)
        }
        Command::List { page } => {
            let page = client.page::<Business>(&format!("/businesses{}", page.query())).await?;
            let row = |business: &Business| {
                let Business { id, name, status, created_at, .. } = business;
                vec![id.to_string(), name.clone(), status.clone(), created_at.to_string()]
            };
            show_page(ask, &page, &["id", "name", "status", "created"], row, "There are no businesses.")
        }
        Command::Show { business } => show(ask, &client.get(&format!("/businesses/{business}")).await?.data),
        Command::Disable { business } => {
            let path = format!("/businesses/{business}/disable");
            show(ask, &client.send(Method::POST, &path, None::<&()>).await?.data)
        }
        Command::Enable { business } => {
            let path = format!("/businesses/{business}/enable");
            show(ask, &client.send(Method::POST, &path, None::<&()>).await?.data)
        }
        Command::Members { business } => {
            let members = client.get::<Vec<Member>>(&format!("/businesses/{business}/members")).await?.data;
            show_members(ask, &members)
        }
        Command::Roles { business } => {
            show_roles(ask, &client.get::<Vec<Role>>(&format!("/businesses/{business}/roles")).await?.data)
        }
        Command::SetMember { business, user, role } => {
            let (path, body) = (format!("/businesses/{business}/members/{user}"), SetMember { role_id: role });
            let member = client.send::<Member>(Method::PUT, &path, Some(&body)).await?.data;
            if ask.json { output::json(&member) } else { show_members(ask, &[member]) }
        }
        Command::RemoveMember { business, user } => {
            let path = format!("/businesses/{business}/members/{user}");
            let done = client.send::<()>(Method::DELETE, &path, None::<&()>).await?;
            if ask.json { output::json(&done.data) } else { output::text("The membership is ended.\n") }
        }
    }
}

fn show(ask: &Ask, business: &Business) -> Result<(), Failure> {
    if ask.json {
        return output::json(business);
    }
    output::facts(&[
        ("id", business.id.to_string()),
        ("name", business.name.clone()),
        ("status", business.status.clone()),
        ("created", business.created_at.to_string()),
        ("disabled", or_dash(business.disabled_at)),
    ])
}

fn show_members(ask: &Ask, members: &[Member]) -> Result<(), Failure> {
    if ask.json {
        return output::json(&members);
    }
    let row = |member: &Member| {
        let Member { user_id, email, name, role_name, .. } = member;
        vec![user_id.to_string(), email.clone(), name.clone(), role_name.clone()]
    };
    output::table(&["user", "email", "name", "role"], members.iter().map(row).collect(), "It has no members.")
}

fn show_roles(ask: &Ask, roles: &[Role]) -> Result<(), Failure> {
    if ask.json {
        return output::json(&roles);
    }
    let row = |role: &Role| vec![role.id.to_string(), role.name.clone(), role.permissions.join(", ")];
    output::table(&["id", "name", "permissions"], roles.iter().map(row).collect(), "It has no roles.")
}
