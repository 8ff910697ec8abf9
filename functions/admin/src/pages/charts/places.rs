//! Where else a chart's digest is, and what its tag resolved to before.

use maud::{Markup, html};
use shared::db::{ChartPlace, ChartPlaces, PLACES_MAX};

use super::table::short;
use crate::pages::addresses::{CHARTS, REGISTRIES};
use crate::pages::parts;
use crate::pages::place::Place;

/// Shows every tag with the digest, and the history of the tag. Only site admins may open
/// registries.
pub(super) fn show(places: &ChartPlaces, links_registries: bool) -> Markup {
    html! {
        h2 #places { "Tags with this digest" }
        table {
            caption.hidden { "Tags with this digest" }
            thead { tr { th scope="col" { "Tag" } th scope="col" { "Registry" }
                th scope="col" { "Created" } } }
            tbody {
                @for place in &places.of_digest {
                    tr.gone[!place.available] {
                        td data-label="Tag" { (tag(place)) }
                        td data-label="Registry" { (registry(place, links_registries)) }
                        td data-label="Created" { (parts::ago(place.created_at)) }
                    }
                }
            }
        }
        (more(&places.of_digest))
        h2 #history { "History of the tag" }
        table {
            caption.hidden { "History of the tag" }
            thead { tr { th scope="col" { "Digest" } th scope="col" { "State" }
                th scope="col" { "Created" } } }
            tbody {
                @for place in &places.of_tag {
                    tr {
                        td data-label="Digest" {
                            a href={ (CHARTS) "/" (place.id) } {
                                code title=(place.image_digest) { (short(&place.image_digest)) } }
                        }
                        td data-label="State" {
                            @if place.available { "The tag resolves to it" }
                            @else { "Deleted or moved" }
                        }
                        td data-label="Created" { (parts::ago(place.created_at)) }
                    }
                }
            }
        }
        (more(&places.of_tag))
    }
}

fn tag(place: &ChartPlace) -> Markup {
    html! {
        a href={ (CHARTS) "/" (place.id) } { code.tag { (place.image_tag) } }
        @if !place.available { " " span.badge.deleted { "DELETED" } }
        @if place.is_broken { " " span.badge.broken { "BROKEN" } }
    }
}

fn registry(place: &ChartPlace, is_link: bool) -> Markup {
    let at = Place { domain_name: &place.domain_name, repo_name: &place.repo_name };
    let name = format!("{}/{}", at.host(), place.repo_name);
    html! {
        @if is_link { a href={ (REGISTRIES) "/" (place.helm_registry_id) } { (name) } }
        @else { (name) }
    }
}

fn more(places: &[ChartPlace]) -> Markup {
    let is_cut = i64::try_from(places.len()).is_ok_and(|shown| shown >= PLACES_MAX);
    html! { @if is_cut { p.faint { "Only the first " (PLACES_MAX) " are shown." } } }
}
