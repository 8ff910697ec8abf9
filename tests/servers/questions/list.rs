//! The list of the questions, in the order of the page.

use super::{charts, deletions, logins, others};
use crate::question::{Need, Question};

pub(crate) const ALL: &[Question] = &[
    Question::new("charts that Helm 4 pushed", Need::Nothing, |server| {
        Box::pin(charts::pushed_by_helm(server))
    }),
    Question::new("an unchanged registry", Need::Nothing, |server| {
        Box::pin(charts::unchanged(server))
    }),
    Question::new("a new tag", Need::Nothing, |server| Box::pin(charts::new_tag(server))).long(),
    Question::new("a moved tag", Need::Nothing, |server| Box::pin(charts::moved_tag(server)))
        .long(),
    Question::new("1,200 tags, 1,200 repositories", Need::Nothing, |server| {
        Box::pin(charts::pages(server))
    })
    .long(),
    Question::new("a chart in an index that oras made", Need::Nothing, |server| {
        Box::pin(others::indexed_chart(server))
    })
    .long(),
    Question::new("a signature in a tag", Need::Nothing, |server| {
        Box::pin(others::signature(server))
    })
    .long(),
    Question::new("a referrer that oras attached", Need::Nothing, |server| {
        Box::pin(others::referrer(server))
    })
    .long(),
    Question::new("a deleted tag", Need::Nothing, |server| {
        Box::pin(deletions::deleted_tag(server))
    })
    .long(),
    Question::new("the last tag of a repository", Need::Nothing, |server| {
        Box::pin(deletions::last_tag(server))
    })
    .long(),
    Question::new("a whole repository", Need::Removal, |server| {
        Box::pin(deletions::whole_repository(server))
    }),
    Question::new("the right password", Need::Logins, |server| Box::pin(logins::right(server))),
    Question::new("a wrong password", Need::Logins, |server| Box::pin(logins::wrong(server))),
    Question::new("a replaced password", Need::Logins, |server| Box::pin(logins::replaced(server)))
        .long(),
    Question::new("an expired token", Need::Tokens, |server| Box::pin(logins::expired(server))),
    Question::new("a right that is taken away", Need::Rights, |server| {
        Box::pin(logins::narrowed(server))
    }),
];
