//! Why is this chart here, or not here? A diagnosis finds the instance that watches the pasted
//! reference. The function of that instance asks the registry. The rows answer the other steps. A
//! diagnosis writes nothing, and `admin` itself sends no request to a registry.

mod evidence;
mod faults;
mod freshness;
mod instance;
mod reference;
mod row;
mod run;

pub(crate) use run::{ChartDiagnosis, diagnose};
