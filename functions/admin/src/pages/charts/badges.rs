//! The marks beside a chart's name.

use maud::{Markup, html};
use shared::db::HelmChart;

/// Shows the state of a chart, and what it says of itself.
pub(super) fn of(chart: &HelmChart) -> Markup {
    html! {
        @if !chart.available { " " span.badge.deleted { "DELETED" } }
        @if chart.error.is_some() { " " span.badge.broken { "BROKEN" } }
        @if chart.deprecated { " " span.badge.deprecated { "DEPRECATED" } }
        @if chart.chart_type.as_deref() == Some("library") { " " span.badge { "LIBRARY" } }
    }
}
