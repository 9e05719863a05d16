//! The code of a ticket as a picture of one bit per module.

use fast_qr::{ECL, QRBuilder};

use super::TicketPage;
use crate::RenderError;

/// Keeps a module above half a millimetre at the printed size.
pub(super) const PAYLOAD_BYTES_MAX: usize = 512;
/// The light margin a scanner needs around the code, in modules.
pub(super) const QUIET_MODULES: usize = 4;

/// A drawn code: `side` by `side` modules, dark is `true`.
pub(super) struct QrImage {
    pub side: usize,
    modules: Vec<bool>,
}

impl QrImage {
    pub(super) fn new(page: &TicketPage) -> Result<QrImage, RenderError> {
        let payload = page.qr_payload.as_bytes();
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(RenderError::CodeTooLong {
                serial: page.serial.clone(),
                len: payload.len(),
                max: PAYLOAD_BYTES_MAX,
            });
        }
        QrImage::of(payload).map_err(|reason| RenderError::Code {
            serial: page.serial.clone(),
            reason,
        })
    }

    /// The picture of any payload.
    pub(super) fn of(payload: &[u8]) -> Result<QrImage, String> {
        let code = QRBuilder::new(payload)
            .ecl(ECL::M)
            .build()
            .map_err(|error| error.to_string())?;
        let side = code.size;
        let modules = (0..side)
            .flat_map(|y| code[y][..side].iter().map(|module| module.value()))
            .collect();
        Ok(QrImage { side, modules })
    }

    /// Rows of bits padded to bytes, 1 for light: what a PDF image of one bit per pixel holds.
    pub(super) fn rows(&self) -> Vec<u8> {
        let stride = self.side.div_ceil(8);
        let mut rows = vec![0xff_u8; stride * self.side];
        for (at, _) in self.modules.iter().enumerate().filter(|&(_, &dark)| dark) {
            let (y, x) = (at / self.side, at % self.side);
            rows[y * stride + x / 8] &= !(0x80 >> (x % 8));
        }
        rows
    }
}
