//! One row of the route table: method, path, who may call it, what goes in and out. The router, the `OpenAPI` document and the
//! test that walks every route with every role are all made from these rows, so none of them can forget one.
//!
//! ```text
//! get("/devices/{id}", Access::Needs(ViewOwnDevices), "One device", handler).reply::<DeviceDetail>()
//! ```

use crate::access::Access;
use crate::dto::Problem;
use axum::http::Method;
use std::collections::BTreeMap;
use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ArrayBuilder, KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, PathItem, Paths, Ref, RefOr, Required,
    ResponseBuilder, Schema,
};
use utoipa::{IntoParams, ToSchema};

type Schemas = BTreeMap<String, RefOr<Schema>>;

/// A route without its handler.
#[derive(Clone)]
pub struct Spec {
    pub method: Method,
    /// Under `/api/v1`.
    pub path: &'static str,
    pub access: Access,
    summary: &'static str,
    parameters: Vec<Parameter>,
    body: Option<(&'static str, RefOr<Schema>)>,
    /// The body may come with pictures, each in a part of its own.
    with_pictures: bool,
    reply: Option<(&'static str, RefOr<Schema>)>,
    status: &'static str,
    schemas: Schemas,
}

impl std::fmt::Debug for Spec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {:?}", self.method, self.path, self.access)
    }
}

impl Spec {
    pub fn new(method: Method, path: &'static str, access: Access, summary: &'static str) -> Self {
        let parameters = path.split('/').filter_map(path_parameter).collect();
        Self {
            method,
            path,
            access,
            summary,
            parameters,
            body: None,
            with_pictures: false,
            reply: None,
            status: "204",
            schemas: Schemas::new(),
        }
    }

    fn take<T: ToSchema>(&mut self) -> RefOr<Schema> {
        let mut found = Vec::new();
        T::schemas(&mut found);
        self.schemas.extend(found);
        self.schemas.insert(T::name().into_owned(), T::schema());
        Ref::from_schema_name(T::name()).into()
    }

    #[must_use]
    pub fn query<T: IntoParams>(mut self) -> Self {
        self.parameters.extend(T::into_params(|| Some(ParameterIn::Query)));
        self
    }

    #[must_use]
    pub fn header(mut self, name: &'static str, what: &'static str) -> Self {
        let schema = ObjectBuilder::new().schema_type(Type::String);
        let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Header);
        self.parameters.push(parameter.required(Required::False).description(Some(what)).schema(Some(schema)).build());
        self
    }

    #[must_use]
    pub fn body<T: ToSchema>(mut self) -> Self {
        self.body = Some(("application/json", self.take::<T>()));
        self
    }

    /// The same, or a multipart body with it and with pictures.
    #[must_use]
    pub fn body_or_multipart<T: ToSchema>(mut self) -> Self {
        self.with_pictures = true;
        self.body::<T>()
    }

    /// A body of plain text or CSV.
    #[must_use]
    pub fn text_body(mut self, media: &'static str) -> Self {
        self.body = Some((media, ObjectBuilder::new().schema_type(Type::String).into()));
        self
    }

    #[must_use]
    pub fn reply<T: ToSchema>(mut self) -> Self {
        self.reply = Some(("application/json", self.take::<T>()));
        self.status = "200";
        self
    }

    /// A plain array.
    #[must_use]
    pub fn reply_list<T: ToSchema>(mut self) -> Self {
        let items = self.take::<T>();
        self.reply = Some(("application/json", ArrayBuilder::new().items(items).into()));
        self.status = "200";
        self
    }

    /// A [`crate::dto::Page`] of `T`; its schema is called `{T}Page`.
    #[must_use]
    pub fn reply_page<T: ToSchema>(mut self) -> Self {
        let items = self.take::<T>();
        let name = format!("{}Page", T::name());
        let total =
            ObjectBuilder::new().schema_type(Type::Integer).format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)));
        let page = ObjectBuilder::new()
            .property("items", ArrayBuilder::new().items(items))
            .required("items")
            .property("next", ObjectBuilder::new().schema_type(Type::String))
            .property("total", total);
        self.schemas.insert(name.clone(), page.into());
        self.reply = Some(("application/json", Ref::from_schema_name(name).into()));
        self.status = "200";
        self
    }

    #[must_use]
    pub fn reply_text(mut self, media: &'static str) -> Self {
        self.reply = Some((media, ObjectBuilder::new().schema_type(Type::String).into()));
        self.status = "200";
        self
    }

    #[must_use]
    pub fn reply_bytes(mut self, media: &'static str) -> Self {
        self.reply = Some((media, bytes_schema()));
        self.status = "200";
        self
    }

    /// The reply is a switch to the `WebSocket` protocol; `T` are its messages.
    #[must_use]
    pub fn upgrades<T: ToSchema, U: ToSchema>(mut self) -> Self {
        self.take::<T>();
        self.take::<U>();
        self.status = "101";
        self
    }

    /// `get_devices_id`
    fn operation_id(&self) -> String {
        let mut id = self.method.as_str().to_ascii_lowercase();
        for part in self.path.split('/').filter(|part| !part.is_empty()) {
            id.push('_');
            id.push_str(part.trim_matches(['{', '}']));
        }
        id
    }

    fn operation(&self) -> Operation {
        let mut response = ResponseBuilder::new().description(match self.status {
            "101" => "Switches to the live socket",
            "204" => "Done",
            _ => "OK",
        });
        if let Some((media, schema)) = &self.reply {
            response = response.content(*media, ContentBuilder::new().schema(Some(schema.clone())).build());
        }
        let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build();
        let problem =
            ResponseBuilder::new().description("A problem").content("application/problem+json", problem).build();
        let body = self.body.as_ref().map(|(media, schema)| {
            let content = ContentBuilder::new().schema(Some(schema.clone())).build();
            let mut body = RequestBodyBuilder::new().content(*media, content);
            if self.with_pictures {
                let parts = ObjectBuilder::new()
                    .property("event", schema.clone())
                    .required("event")
                    .additional_properties(Some(bytes_schema()))
                    .description(Some("`event` and a part for each picture (JPEG, PNG or WebP)"));
                body = body.content("multipart/form-data", ContentBuilder::new().schema(Some(parts)).build());
            }
            body.required(Some(Required::True)).build()
        });
        let tag = self.path.split('/').find(|part| !part.is_empty()).unwrap_or("api");
        OperationBuilder::new()
            .tag(tag)
            .operation_id(Some(self.operation_id()))
            .summary(Some(self.summary))
            .description(Some(self.access.describe()))
            .parameters(Some(self.parameters.clone()))
            .request_body(body)
            .response(self.status, response.build())
            .response("default", problem)
            .build()
    }
}

fn bytes_schema() -> RefOr<Schema> {
    let format = Some(SchemaFormat::KnownFormat(KnownFormat::Binary));
    Schema::from(ObjectBuilder::new().schema_type(Type::String).format(format).build()).into()
}

/// `{id}` is a number, any other name text.
fn path_parameter(part: &str) -> Option<Parameter> {
    let name = part.strip_prefix('{')?.strip_suffix('}')?;
    let schema = if matches!(name, "id" | "command") {
        ObjectBuilder::new().schema_type(Type::Integer).format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
    } else {
        ObjectBuilder::new().schema_type(Type::String)
    };
    let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path);
    Some(parameter.required(Required::True).schema(Some(schema)).build())
}

/// The document made of all rows.
pub(crate) fn document<'a>(specs: impl IntoIterator<Item = &'a Spec>, words: Schemas) -> OpenApi {
    let mut schemas = words;
    schemas.insert(Problem::name().into_owned(), <Problem as utoipa::PartialSchema>::schema());
    let mut nested = Vec::new();
    Problem::schemas(&mut nested);
    schemas.extend(nested);
    let mut paths = Paths::new();
    for spec in specs {
        schemas.extend(spec.schemas.clone());
        let method = match spec.method {
            Method::POST => HttpMethod::Post,
            Method::PUT => HttpMethod::Put,
            Method::DELETE => HttpMethod::Delete,
            _ => HttpMethod::Get,
        };
        let path = format!("/api/v1{}", spec.path);
        let item = PathItem::new(method, spec.operation());
        match paths.paths.get_mut(&path) {
            Some(known) => known.merge_operations(item),
            None => drop(paths.paths.insert(path, item)),
        }
    }
    let mut components = ComponentsBuilder::new();
    for (name, schema) in schemas {
        components = components.schema(name, schema);
    }
    let info = InfoBuilder::new()
        .title("Lantian")
        .version("1")
        .description(Some("Ids are numbers, times RFC 3339 in UTC, errors application/problem+json."))
        .build();
    OpenApiBuilder::new().info(info).paths(paths).components(Some(components.build())).build()
}

/// The schema of a word that only query parameters use.
pub(crate) fn word<T: ToSchema>(schemas: &mut Schemas) {
    schemas.insert(T::name().into_owned(), T::schema());
}
