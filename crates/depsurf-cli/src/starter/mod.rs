//! The starter dataset: packed surfaces inside the program, so that the first command needs no download.

mod table;

pub use table::KERNELS;

#[cfg(test)]
mod tests {
    use depsurf::kernel::KernelId;
    use depsurf::store::pack::unpack;
    use depsurf::surface::Surface;

    use super::KERNELS;

    #[test]
    fn every_file_is_whole_and_of_its_kernel() {
        for file in KERNELS {
            let surface = Surface::from_bytes(unpack(file.bytes).unwrap()).unwrap();
            assert_eq!(*surface.kernel(), file.kernel.parse::<KernelId>().unwrap());
            surface.verify().unwrap();
        }
    }

    #[test]
    fn all_together_are_small_enough_to_ship() {
        let total: usize = KERNELS.iter().map(|file| file.bytes.len()).sum();
        assert!(total <= 24_000_000, "{total} bytes");
        assert!(KERNELS.iter().all(|file| !file.kernel.starts_with("6.1.") || file.bytes.len() <= 5_000_000));
    }
}
