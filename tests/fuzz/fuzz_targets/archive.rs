//! Fuzzes the archive reader with any bytes, once as a tar archive that is compressed here, and
//! once as they are. The compression is done here, because fuzzing does not find a valid checksum
//! by chance. The first byte sets the size of the pieces that the reader is fed.
#![no_main]

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use shared::domain::Contents;
use shared::helm::{Fed, Layer};

fn read(layer: &[u8], piece: usize) -> Contents {
    let mut unpacked = Layer::default();
    for mut piece in layer.chunks(piece) {
        while unpacked.feed(&mut piece) == Fed::LargeFileNext {
            unpacked.allow_large();
        }
        assert!(piece.is_empty() || unpacked.is_over(), "the reader left bytes unread");
    }
    while unpacked.end() == Fed::LargeFileNext {
        unpacked.allow_large();
    }
    assert!(unpacked.is_over() || layer.is_empty() || unpacked.end() == Fed::All);
    unpacked.into_contents()
}

fuzz_target!(|input: &[u8]| {
    let Some((piece, bytes)) = input.split_first() else { return };
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(bytes).expect("writing to memory");
    let layer = encoder.finish().expect("writing to memory");
    let contents = read(&layer, usize::from(*piece) + 1);
    assert!(contents.chart_name.is_some() || contents.error.is_some(), "no name and no reason");
    assert!(
        contents
            .error
            .as_ref()
            .is_none_or(|error| error.len() <= 2048 && !error.contains(['\n', '\0']))
    );
    assert_eq!(contents, read(&layer, usize::MAX), "the result depends on the pieces");
    read(bytes, usize::from(*piece) + 1);
});
