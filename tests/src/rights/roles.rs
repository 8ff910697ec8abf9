//! Names the resources of a test as the plan does, so that the calls of all tests have one plan.

use serde_json::{Value, json};

use super::request::arn;
use super::right::Right;

/// The role of each function that the plan makes, by the function's program.
pub(super) const ROLES: [(&str, &str); 6] = [
    ("admin", "admin"),
    ("ecr-events", "ecr-events-prod"),
    ("migrate", "migrate"),
    ("oci-events", "oci-events"),
    ("oci-poll", "oci-poll"),
    ("tag-parser", "tag-parser"),
];

/// Returns the ARN of a secret of the plan.
fn secret(name: &str) -> String {
    arn("secretsmanager", &format!("secret:{name}-AbCdEf"))
}

/// Returns the variables of a plan that has every kind of instance, secret and function.
pub(super) fn plan() -> Value {
    json!({
        "home": {"partition": "aws", "region": "us-east-1", "account_id": "123456789012"},
        "database": {"secret_arn": secret("app")},
        "migrate_database": {"secret_arn": secret("owner")},
        "enable_tag_parser": true,
        "admin": {"auth": "oidc", "oidc_secret_arn": secret("oidc"), "site_admins": ["a@b.c"]},
        "instances": [
            {"name": "prod", "ecrEvents": {"queueName": "charts", "regionName": "us-east-1"}},
            {"name": "mirror", "oci": {"registryUrl": "https://registry.example.com",
                "credentialsSecretArn": secret("registry"),
                "webhookSecretArn": secret("webhook")}},
            {"name": "polled-ecr", "oci":
                {"registryUrl": "https://123456789012.dkr.ecr.us-east-1.amazonaws.com"}},
        ],
    })
}

/// The settings of a function that name its resources.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    program: &'static str,
    settings: Vec<(String, String)>,
}

impl Caller {
    pub(super) fn new(program: &'static str, settings: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self { program, settings: settings.iter().map(owned).collect() }
    }

    /// Returns a right with its resource as the plan names it. A resource that the function's
    /// settings do not name stays as it is, so that no policy allows it.
    pub(super) fn as_planned(&self, right: Right) -> Right {
        let Right { action, resource } = right;
        let (service, _) = action.split_once(':').unwrap_or_default();
        let planned = match service {
            "secretsmanager" => self.secret(&resource),
            "dynamodb" => self.named("CURSOR_TABLE", &resource, '/', || {
                arn("dynamodb", "table/chart-discovery-cursor")
            }),
            "sqs" => {
                self.named("HINT_QUEUE_URL", &resource, ':', || arn("sqs", "chart-discovery-hints"))
            }
            "lambda" => invoked(&resource),
            _ => None,
        };
        Right { action, resource: planned.unwrap_or(resource) }
    }

    fn setting(&self, name: &str) -> Option<&str> {
        let found = self.settings.iter().rev().find(|(setting, _)| setting == name);
        found.map(|(_, value)| value.as_str())
    }

    fn secret(&self, id: &str) -> Option<String> {
        if self.setting("DATABASE_SECRET_ARN") == Some(id) {
            let login = if self.program == "migrate" { "owner" } else { "app" };
            return Some(secret(login));
        }
        if self.setting("OIDC_SECRET_ARN") == Some(id) {
            return Some(secret("oidc"));
        }
        match self.program {
            "oci-events" if self.setting("WEBHOOKS").is_some_and(|all| all.contains(id)) => {
                Some(secret("webhook"))
            }
            // The instance is in the payload or in a row, and it names the secret.
            "oci-poll" => Some(secret("registry")),
            _ => None,
        }
    }

    /// Returns the planned resource, if a setting ends in the name of the test's one.
    fn named(
        &self,
        setting: &str,
        resource: &str,
        separator: char,
        planned: impl FnOnce() -> String,
    ) -> Option<String> {
        let name = resource.rsplit(separator).next()?;
        let value = self.setting(setting)?;
        (value.rsplit('/').next() == Some(name)).then(planned)
    }
}

/// Returns the planned function of the same program. Tests call a function like its program, or as
/// the module calls it.
fn invoked(resource: &str) -> Option<String> {
    let (_, name) = resource.split_once(":function:")?;
    let mut roles = ROLES.iter().filter(|(program, _)| name.contains(program));
    let (_, role) = roles.next()?;
    Some(arn("lambda", &format!("function:chart-discovery-{role}")))
}
