//! The part of `/admin/instances` that lists the registries that no instance watches any more.

use maud::{Markup, html};
use serde_json::json;
use shared::db::OrphanedRegistry;

use super::parts;

/// Shows the orphaned registries, and the payload that ends the rows of each.
pub(super) fn section(orphaned: &[OrphanedRegistry]) -> Markup {
    html! {
        @if !orphaned.is_empty() {
            section.panel #orphans aria-labelledby="orphans-title" {
                h2 #orphans-title { "Orphans" }
                p {
                    "No live instance watches these registries, so that their charts stay \
                     available whatever becomes of them. If a registry should be watched, look at \
                     the schedule of its instance. If not, end its rows: its charts become \
                     unavailable, and they come back if an instance watches the registry again."
                }
                table {
                    caption.hidden { "Orphaned registries" }
                    thead {
                        tr {
                            th scope="col" { "Registry" }
                            th.number scope="col" { "Available charts" }
                            th scope="col" { "Was watched by" }
                            th scope="col" { "To end its rows, invoke oci-poll with" }
                        }
                    }
                    tbody { @for orphan in orphaned { (row(orphan)) } }
                }
            }
        }
    }
}

fn row(orphan: &OrphanedRegistry) -> Markup {
    let names = orphan.instances.join(", ");
    html! {
        tr {
            td data-label="Registry" { (orphan.domain_name) }
            td.number data-label="Available charts" { (parts::counted(orphan.charts)) }
            td data-label="Was watched by" { @if names.is_empty() { "–" } @else { (names) } }
            td data-label="To end its rows, invoke oci-poll with" {
                code.payload { (json!({"orphans": orphan.domain_name})) }
            }
        }
    }
}
