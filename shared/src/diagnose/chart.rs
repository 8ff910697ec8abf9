//! The steps about the chart: whether the manifest is a chart's, and whether its contents can be
//! read.

use super::diagnosis::Diagnosis;
use super::faults::{said, step_of};
use super::step::{Step, StepId};
use crate::helm::{CONFIG_MEDIA_TYPE, ChartManifest};
use crate::reconcile::{LargeChartPermits, read_contents};

/// Reads the chart, which shows whether it has a defect.
pub(super) async fn check_contents(
    diagnosis: &mut Diagnosis<'_>,
    manifest: &ChartManifest,
) -> Result<(), Step> {
    let permits = LargeChartPermits::default();
    let repository = &diagnosis.target.repository;
    let read = read_contents(diagnosis.client, repository, manifest, &permits);
    let contents = match diagnosis.in_time(read).await? {
        Ok((contents, _)) => contents,
        Err(error) if step_of(&error).is_some() => {
            return Err(diagnosis.fault(StepId::Contents, &error));
        }
        Err(error) => {
            let remedy = "The registry has the manifest, but does not serve what the manifest \
                          names. Push the chart again.";
            return Err(Step::failed(StepId::Contents, said(&error), remedy));
        }
    };
    if let Some(error) = contents.error {
        let remedy = "The chart itself has a defect, so the pages show it as BROKEN. Fix what the \
                      error names, check the chart with helm lint, and push it again, best under \
                      a new version.";
        return Err(Step::failed(StepId::Contents, error, remedy));
    }
    let name = contents.chart_name.unwrap_or_default();
    let version = contents.chart_version.unwrap_or_default();
    diagnosis.pass(StepId::Contents, format!("The chart {name} {version} can be read."));
    Ok(())
}

/// Describes a manifest that is not a chart's.
pub(super) fn not_a_chart(media_type: &str) -> Step {
    let lower = media_type.to_ascii_lowercase();
    let is_image = ["image.config", "container.image", "image.index", "manifest.list"]
        .iter()
        .any(|part| lower.contains(part));
    let (detail, remedy) = if is_image {
        let detail =
            format!("This is a container image, not a Helm chart: its media type is {media_type}.");
        (detail, "Push the chart with helm push, to a repository or a tag of its own.".to_owned())
    } else {
        let detail =
            format!("This is not a Helm chart: its config has the media type {media_type}.");
        (
            detail,
            format!(
                "Push the chart with helm push. Another client must give the config the media \
                 type {CONFIG_MEDIA_TYPE}."
            ),
        )
    };
    Step::failed(StepId::Manifest, detail, remedy)
}
