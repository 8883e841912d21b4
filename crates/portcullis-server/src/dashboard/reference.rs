//! `/reference`: the OpenAPI document, in the frame of the dashboard, on which requests can be tried.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;

use super::frame::{Frame, Page, Visitor, mark, page};
use crate::app::App;
use crate::error::Error;

#[derive(Template)]
#[template(path = "reference.html")]
struct Reference {
    frame: Frame,
}

/// Anybody may read it; whoever is signed in finds their way back.
pub(crate) async fn show(State(app): State<Arc<App>>, visitor: Result<Visitor, Error>) -> Page {
    let frame = match visitor {
        Ok(visitor) => visitor.frame("reference", "API reference"),
        Err(_) => Frame {
            title: "API reference".to_owned(),
            here: "reference",
            who: None,
            mark: mark(&app),
            notice: None,
            about: None,
        },
    };
    page(&Reference { frame })
}
