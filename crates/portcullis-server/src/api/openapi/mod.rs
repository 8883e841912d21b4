//! The OpenAPI document, made from the handlers themselves.
//!
//! A route is added once, with its name and one sentence. What it takes, who may call it, what it answers and how it fails is read
//! off the types in the handler's signature ([`describe`]), so the document cannot say anything else than the code.

mod describe;
mod document;
mod types;

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};

pub(crate) use describe::Described;
pub(crate) use document::Draft;

use crate::app::App;

/// Routes and their descriptions, side by side.
pub(crate) struct Api {
    router: Router<Arc<App>>,
    operations: Vec<Draft>,
    /// What all paths begin with.
    base: &'static str,
    tag: &'static str,
}

macro_rules! methods {
    ($($name:ident = $filter:ident $method:literal;)+) => {$(
        pub(crate) fn $name<H, T, D>(self, path: &str, id: &str, summary: &str, handler: H) -> Self
        where
            H: Handler<T, Arc<App>> + Described<D>,
            T: 'static,
        {
            self.add(MethodFilter::$filter, $method, path, (id, summary), handler)
        }
    )+};
}

impl Api {
    pub(crate) fn below(base: &'static str) -> Self {
        Self { router: Router::new(), operations: Vec::new(), base, tag: "" }
    }

    /// What comes next is of this part of the API.
    pub(crate) const fn part(mut self, tag: &'static str) -> Self {
        self.tag = tag;
        self
    }

    methods! {
        get = GET "get";
        post = POST "post";
        put = PUT "put";
        patch = PATCH "patch";
        delete = DELETE "delete";
    }

    fn add<H, T, D>(
        mut self,
        filter: MethodFilter,
        method: &'static str,
        path: &str,
        (id, summary): (&str, &str),
        handler: H,
    ) -> Self
    where
        H: Handler<T, Arc<App>> + Described<D>,
        T: 'static,
    {
        let path = format!("{}{path}", self.base);
        let mut draft = Draft::new(method, &path, self.tag, id, summary);
        handler.describe(&mut draft);
        self.operations.push(draft);
        self.router = self.router.route(&path, on(filter, handler));
        self
    }

    /// The routes, and the document as JSON text.
    pub(crate) fn into_parts(self) -> (Router<Arc<App>>, String) {
        let document = document::whole(self.operations);
        (self.router, serde_json::to_string_pretty(&document).unwrap_or_default() + "\n")
    }
}
