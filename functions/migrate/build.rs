//! Rebuilds the function after a migration was added or changed, because the macro that embeds them
//! does not report them to cargo.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
