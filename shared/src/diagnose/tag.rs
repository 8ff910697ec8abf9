//! The steps about the tag or digest: what it resolves to.

use std::sync::Arc;

use super::diagnosis::Diagnosis;
use super::faults::said;
use super::repository::{Followed, not_shown};
use super::request::Target;
use super::similar_tags::similar_tags;
use super::step::{Step, StepId};
use crate::domain::{Reference, Subject, Tag, newest_first};
use crate::reconcile::{LookAnswer, observe};

/// Counts the tags, because the request names none.
pub(super) fn count_tags(diagnosis: &mut Diagnosis<'_>, mut tags: Vec<Tag>) -> Result<(), Step> {
    let repository = &diagnosis.target.repository;
    newest_first(&mut tags);
    let Some(newest) = tags.first() else {
        let detail = format!("{repository} has no tags.");
        return Err(Step::failed(StepId::Tag, detail, "Push a chart to it with helm push."));
    };
    let detail = format!(
        "Tags in the repository: {}. The newest is {newest}. Add :TAG to the reference to \
         diagnose one of them.",
        tags.len()
    );
    diagnosis.pass(StepId::Tag, detail);
    Ok(())
}

/// Asks the registry what the reference resolves to.
pub(super) async fn resolve(
    diagnosis: &mut Diagnosis<'_>,
    reference: &Reference,
    tags: Option<&[Tag]>,
) -> Result<LookAnswer, Step> {
    let Target { registry, repository, .. } = diagnosis.target;
    let subject = Subject {
        registry: Arc::clone(registry),
        repository: repository.clone(),
        reference: reference.clone(),
    };
    let seen = match diagnosis.in_time(observe(diagnosis.client, &subject)).await? {
        Ok(LookAnswer::Denied(error)) => return Err(not_shown(diagnosis, &error)),
        Ok(LookAnswer::Unconfirmed(absence)) => {
            diagnosis.is_unconfirmed = true;
            let detail = format!(
                "{}. The answer lacks MANIFEST_UNKNOWN, so discovery does not take it as proof \
                 that the tag was deleted: it is an unconfirmed absence.",
                said(absence.error())
            );
            return Err(Step::failed(StepId::Tag, detail, suggestion(diagnosis, reference, tags)));
        }
        Ok(seen) => seen,
        Err(error) => return Err(diagnosis.fault(StepId::Manifest, &error)),
    };
    diagnosis.pass_connection();
    diagnosis.digest = seen.digest().map(ToString::to_string);
    if let Some(digest) = &diagnosis.digest {
        let detail = match reference {
            Reference::Tag(tag) => format!("The tag {tag} resolves to {digest}."),
            Reference::Digest(_) => "The registry has this digest.".to_owned(),
        };
        diagnosis.pass(StepId::Tag, detail);
    }
    Ok(seen)
}

/// Checks that the registry lists a tag that resolves, because a poller finds tags in that list.
pub(super) fn check_listed(
    followed: Followed<'_>,
    reference: &Reference,
    tags: Option<&[Tag]>,
) -> Result<(), Step> {
    match (followed, reference, tags) {
        (Followed::Polled { .. }, Reference::Tag(tag), Some(tags))
            if tags.binary_search(tag).is_err() =>
        {
            Err(Step::failed(
                StepId::Tag,
                format!("{tag} resolves, but the registry's list of tags does not name it."),
                "The function finds tags only in that list. Find out why the registry leaves it \
                 out.",
            ))
        }
        _ => Ok(()),
    }
}

/// Describes a tag or digest that the registry does not have.
pub(super) fn absent(
    diagnosis: &Diagnosis<'_>,
    reference: &Reference,
    tags: Option<&[Tag]>,
) -> Step {
    let what = match reference {
        Reference::Tag(tag) => format!("tag {tag}"),
        Reference::Digest(digest) => format!("digest {digest}"),
    };
    let detail = format!("The registry has no {what} in {}.", diagnosis.target.repository);
    Step::failed(StepId::Tag, detail, suggestion(diagnosis, reference, tags))
}

fn suggestion(diagnosis: &Diagnosis<'_>, reference: &Reference, tags: Option<&[Tag]>) -> String {
    let repository = &diagnosis.target.repository;
    if matches!(reference, Reference::Digest(_)) {
        return "Diagnose the tag instead, because it may have another digest now.".to_owned();
    }
    match tags.map(|tags| similar_tags(reference.as_str(), tags)).as_deref() {
        None => "Check the tag for a mistype, or push the chart with helm push.".to_owned(),
        Some([]) => format!("{repository} has no tags at all. Push the chart with helm push."),
        Some(similar) => format!(
            "Check the tag for a mistype: the repository has {}. If the tag is right, push the \
             chart with helm push.",
            similar.join(", ")
        ),
    }
}
