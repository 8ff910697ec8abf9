//! Rebuilds the function when a migration is added or changed: the macro that embeds them cannot
//! tell cargo.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
