//! What boot loaders take, with a kernel inside; and the compressions that only kernels still use.

/// A unified kernel image: a PE file with these sections, each padded to 512 bytes.
pub fn uki(sections: &[(&str, &[u8])]) -> Vec<u8> {
    const PE: usize = 0x80;
    const OPTIONAL: usize = 240;
    const ALIGN: usize = 512;
    let mut image = vec![0; PE];
    image[..2].copy_from_slice(b"MZ");
    image[0x3c..0x40].copy_from_slice(&(PE as u32).to_le_bytes());
    image.extend(b"PE\0\0");
    image.extend(0x8664u16.to_le_bytes());
    image.extend((sections.len() as u16).to_le_bytes());
    image.extend([0; 12]);
    image.extend((OPTIONAL as u16).to_le_bytes());
    image.extend([0; 2 + OPTIONAL]);
    let mut offset = (image.len() + 40 * sections.len()).next_multiple_of(ALIGN);
    for (name, data) in sections {
        let mut header = [0; 40];
        header[..name.len()].copy_from_slice(name.as_bytes());
        let padded = data.len().next_multiple_of(ALIGN);
        for (at, value) in [(8, data.len()), (12, offset), (16, padded), (20, offset)] {
            header[at..at + 4].copy_from_slice(&(value as u32).to_le_bytes());
        }
        image.extend(header);
        offset += padded;
    }
    for (_, data) in sections {
        image.resize(image.len().next_multiple_of(ALIGN), 0);
        image.extend_from_slice(data);
    }
    image.resize(image.len().next_multiple_of(ALIGN), 0);
    image
}

/// Android's boot image of a header version, with a kernel and a ramdisk; pages have 4096 bytes from version 3 on.
pub fn android(version: u32, page: u32, kernel: &[u8], ramdisk: &[u8]) -> Vec<u8> {
    let page = if version < 3 { page } else { 4096 };
    let mut image = vec![0; page as usize];
    image[..8].copy_from_slice(b"ANDROID!");
    let (kernel_size, ramdisk_size) = (kernel.len() as u32, ramdisk.len() as u32);
    let fields = match version {
        0..3 => [(8, kernel_size), (16, ramdisk_size), (36, page), (40, version)],
        _ => [
            (8, kernel_size),
            (12, ramdisk_size),
            (20, if version == 3 { 1580 } else { 1584 }),
            (40, version),
        ],
    };
    for (at, value) in fields {
        image[at..at + 4].copy_from_slice(&u32::to_le_bytes(value));
    }
    for part in [kernel, ramdisk] {
        image.extend_from_slice(part);
        image.resize(image.len().next_multiple_of(page as usize), 0);
    }
    image
}

/// U-Boot's legacy image of a type (2 for a kernel).
pub fn uimage(kind: u8, data: &[u8]) -> Vec<u8> {
    let mut header = [0; 64];
    header[..4].copy_from_slice(&0x2705_1956u32.to_be_bytes());
    header[12..16].copy_from_slice(&(data.len() as u32).to_be_bytes());
    header[24..28].copy_from_slice(&crc32(data).to_be_bytes());
    header[28..32].copy_from_slice(&[5, 22, kind, 0]);
    header[32..38].copy_from_slice(b"kernel");
    let sum = crc32(&header);
    header[4..8].copy_from_slice(&sum.to_be_bytes());
    [&header[..], data].concat()
}

/// The data of a legacy image of several parts (type 4).
pub fn parts(parts: &[&[u8]]) -> Vec<u8> {
    let mut data: Vec<u8> = parts.iter().flat_map(|part| (part.len() as u32).to_be_bytes()).collect();
    data.extend([0; 4]);
    for part in parts {
        data.resize(data.len().next_multiple_of(4), 0);
        data.extend_from_slice(part);
    }
    data
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// Where a FIT image has the data of its images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the tree.
    Inside,
    /// Behind the tree, by its offset from there.
    Offset,
    /// Behind the tree, by its offset from the start of the file.
    Position,
}

/// U-Boot's FIT image: images as name, type and data, and the kernel that the configuration names, if there is one.
pub fn fit(images: &[(&str, &str, &[u8])], kernel: Option<&str>, place: Place) -> Vec<u8> {
    // Every number has the same size, so that the tree has its own size before the places are known.
    let size = fit_tree(images, kernel, place, 0).len();
    let mut fit = fit_tree(images, kernel, place, size);
    if place != Place::Inside {
        for (_, _, data) in images {
            fit.resize(fit.len().next_multiple_of(4), 0);
            fit.extend_from_slice(data);
        }
    }
    fit
}

fn fit_tree(images: &[(&str, &str, &[u8])], kernel: Option<&str>, place: Place, size: usize) -> Vec<u8> {
    let mut tree = Tree::default();
    tree.begin("").property("description", b"test\0").begin("images");
    let mut offset = 0;
    for (name, kind, data) in images {
        tree.begin(name).property("type", &text(kind));
        let number = |value: usize| (value as u32).to_be_bytes();
        match place {
            Place::Inside => tree.property("data", data),
            Place::Offset => tree.property("data-offset", &number(offset)),
            Place::Position => tree.property("data-position", &number(size + offset)),
        };
        if place != Place::Inside {
            tree.property("data-size", &number(data.len()));
        }
        tree.begin("hash").property("algo", b"sha256\0").property("value", &[0; 32]).end().end();
        offset = (offset + data.len()).next_multiple_of(4);
    }
    tree.end();
    if let Some(kernel) = kernel {
        tree.begin("configurations").property("default", b"second\0");
        tree.begin("first").property("kernel", b"nothing\0").end();
        tree.begin("second").property("kernel", &text(kernel)).end().end();
    }
    tree.end();
    tree.build()
}

/// A device tree without anything of interest, as is appended to kernels.
pub fn device_tree() -> Vec<u8> {
    let mut tree = Tree::default();
    tree.begin("").property("model", b"a board\0").end();
    tree.build()
}

fn text(text: &str) -> Vec<u8> {
    [text.as_bytes(), b"\0"].concat()
}

/// A flattened device tree.
#[derive(Default)]
struct Tree {
    nodes: Vec<u8>,
    strings: Vec<u8>,
}

impl Tree {
    fn word(&mut self, word: usize) {
        self.nodes.extend((word as u32).to_be_bytes());
    }

    fn align(&mut self) -> &mut Self {
        self.nodes.resize(self.nodes.len().next_multiple_of(4), 0);
        self
    }

    fn begin(&mut self, name: &str) -> &mut Self {
        self.word(1);
        self.nodes.extend(text(name));
        self.align()
    }

    fn property(&mut self, name: &str, value: &[u8]) -> &mut Self {
        self.word(3);
        self.word(value.len());
        self.word(self.strings.len());
        self.strings.extend(text(name));
        self.nodes.extend_from_slice(value);
        self.align()
    }

    fn end(&mut self) -> &mut Self {
        self.word(2);
        self
    }

    fn build(mut self) -> Vec<u8> {
        const HEADER: usize = 40;
        /// The empty list of reserved memory.
        const RESERVED: usize = 16;
        self.word(9);
        self.strings.resize(self.strings.len().next_multiple_of(4), 0);
        let (nodes, strings) = (HEADER + RESERVED, HEADER + RESERVED + self.nodes.len());
        let size = strings + self.strings.len();
        let (length, names) = (self.nodes.len(), self.strings.len());
        let header = [0xd00d_feed, size, nodes, strings, HEADER, 17, 16, 0, names, length];
        let mut tree: Vec<u8> = header.iter().flat_map(|word| (*word as u32).to_be_bytes()).collect();
        tree.extend([0; RESERVED]);
        tree.extend(self.nodes);
        tree.extend(self.strings);
        tree
    }
}

/// What `lz4 -l` writes.
pub fn lz4_legacy(bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0x02, 0x21, 0x4c, 0x18];
    for block in bytes.chunks(8 << 20) {
        let block = lz4_flex::block::compress(block);
        file.extend((block.len() as u32).to_le_bytes());
        file.extend(block);
    }
    file
}

/// What `lzma -9` writes.
pub fn lzma(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let options = liblzma::stream::LzmaOptions::new_preset(1).expect("there is such a preset");
    let stream = liblzma::stream::Stream::new_lzma_encoder(&options).expect("the preset is valid");
    let mut writer = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
    writer.write_all(bytes).expect("memory can be compressed");
    writer.finish().expect("memory can be compressed")
}

/// What `lzop` writes.
pub fn lzop(bytes: &[u8]) -> Vec<u8> {
    let mut file = b"\x89LZO\0\r\n\x1a\n".to_vec();
    let mut header = vec![0x10, 0x40, 0x20, 0xa0, 0x09, 0x40, 1, 5];
    // Checksums of the contents and of what is compressed.
    header.extend(3u32.to_be_bytes());
    header.extend([0; 12]);
    header.extend(b"\x05Image");
    file.extend(&header);
    file.extend(adler2::adler32_slice(&header).to_be_bytes());
    for block in bytes.chunks(256 << 10) {
        let packed = lzokay::compress::compress(block).expect("memory can be compressed");
        let packed = if packed.len() < block.len() { packed } else { block.to_vec() };
        file.extend((block.len() as u32).to_be_bytes());
        file.extend((packed.len() as u32).to_be_bytes());
        file.extend(adler2::adler32_slice(block).to_be_bytes());
        if packed.len() < block.len() {
            file.extend(adler2::adler32_slice(&packed).to_be_bytes());
        }
        file.extend(packed);
    }
    file.extend([0; 4]);
    file
}
