//! EC2, DMS, RDS, STS and SQS, as far as dmsnet speaks with them: a request in, an answer out, over a world in memory. AWS's limits of
//! filters and pages are kept, and what its writes refuse. Who serves it, and how, is the user's matter.
#![allow(dead_code)] // what one user needs, another does not

pub mod buckets;
mod dms;
mod ec2;
mod form;
mod queue;
mod rds;
mod world;
mod writes;
mod xml;

#[allow(unused_imports)]
pub use buckets::Buckets;
pub use form::Form;
#[allow(unused_imports)]
pub use queue::{Queue, event};
#[allow(unused_imports)]
pub use world::{Endpoint, Group, Ids, Peer, Rule, World, policy_of_all};
#[allow(unused_imports)]
pub use writes::RULES_PER_GROUP;

/// The account whose credentials every key is.
pub const ACCOUNT: &str = "111122223333";

/// What an operation answers: the body, and how many rows it holds.
pub struct Answer {
    body: String,
    rows: usize,
}

/// A refusal: HTTP status, AWS's code, a sentence.
pub struct Fault(pub u16, pub &'static str, pub String);

pub(crate) type Outcome = Result<Answer, Fault>;

/// A request, read as far as is needed to know what it asks for.
pub struct Call<'a> {
    /// `ec2`, `dms`, `rds`, `sts` or `sqs`.
    pub service: &'static str,
    /// Such as `DescribeSubnets`.
    pub operation: String,
    form: Form,
    body: &'a [u8],
}

/// What goes back over the wire.
pub struct Reply {
    pub status: u16,
    pub content_type: &'static str,
    pub body: String,
    /// Rows of the answer.
    pub rows: usize,
    /// AWS's code of a refusal.
    pub code: Option<&'static str>,
}

impl<'a> Call<'a> {
    /// Reads the header `x-amz-target`, if there is one, and the body.
    pub fn parse(target: Option<&str>, body: &'a [u8]) -> Self {
        if let Some(target) = target {
            let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
            let service = if target.starts_with("AmazonSQS") { "sqs" } else { "dms" };
            return Self { service, operation, form: Form::parse(b""), body };
        }
        let form = Form::parse(body);
        let operation = form.get("Action").unwrap_or_default().to_owned();
        let service = match form.get("Version") {
            Some("2014-10-31") => "rds",
            Some("2011-06-15") => "sts",
            _ => "ec2",
        };
        Self { service, operation, form, body }
    }

    /// Whether it changes anything; messages are no part of the world.
    pub fn is_write(&self) -> bool {
        self.service != "sqs" && !self.operation.starts_with("Describe") && !self.operation.starts_with("Get")
    }

    /// A parameter of the query protocols.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.form.get(name)
    }

    /// On which object, for people.
    pub fn about(&self) -> String {
        let fields = ["GroupId", "GroupName", "VpcEndpointId", "VpcEndpointId.1", "ResourceId.1", "SecurityGroupRuleId.1"];
        let named = fields.iter().filter_map(|f| self.get(f));
        let ports = self.form.nodes("IpPermissions").into_iter().filter_map(|n| self.get(&format!("{n}.FromPort")).map(str::to_owned));
        named.map(str::to_owned).chain(ports).map(|text| format!(" {text}")).collect()
    }

    /// The same, of messages: it may wait for some.
    pub async fn of_queue(&self, queue: &Queue) -> Reply {
        match queue.answer(&self.operation, self.body).await {
            Ok(body) => Reply { status: 200, content_type: self.content_type(), body: body.to_string(), rows: 0, code: None },
            Err(fault) => self.refusal(&fault),
        }
    }

    /// Does it, to anything but messages.
    pub fn answer(&self, world: &mut World) -> Reply {
        let outcome = match self.service {
            "sqs" => Err(unknown(&self.operation)),
            "dms" => dms::respond(world, &self.operation, self.body),
            "rds" => rds::respond(world, &self.operation, &self.form),
            "sts" => rds::caller(&self.operation),
            _ if self.is_write() => writes::respond(world, &self.operation, &self.form),
            _ => ec2::respond(world, &self.operation, &self.form),
        };
        match outcome {
            Ok(Answer { body, rows }) => Reply { status: 200, content_type: self.content_type(), body, rows, code: None },
            Err(fault) => self.refusal(&fault),
        }
    }

    /// The answer that refuses it.
    pub fn refusal(&self, Fault(status, code, text): &Fault) -> Reply {
        let body = match self.service {
            "dms" | "sqs" => serde_json::json!({ "__type": code, "message": text }).to_string(),
            "ec2" => format!("<Response><Errors><Error><Code>{code}</Code><Message>{text}</Message></Error></Errors></Response>"),
            _ => format!("<ErrorResponse><Error><Code>{code}</Code><Message>{text}</Message></Error></ErrorResponse>"),
        };
        Reply { status: *status, content_type: self.content_type(), body, rows: 0, code: Some(code) }
    }

    fn content_type(&self) -> &'static str {
        match self.service {
            "dms" => "application/x-amz-json-1.1",
            "sqs" => "application/x-amz-json-1.0",
            _ => "text/xml",
        }
    }
}

/// No such operation here: then dmsnet has learned to call something new.
pub(crate) fn unknown(name: &str) -> Fault {
    Fault(400, "InvalidAction", format!("the stub does not know {name}"))
}
