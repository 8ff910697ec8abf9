//! The admin pages in a browser, for a site admin and for other users.

mod access;
mod charts;
mod contents;
mod diagnosis;
mod kinds;
mod scripts;
mod tag_formats;
