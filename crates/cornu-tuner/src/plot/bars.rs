//! The importance of each parameter, as bars.

use super::canvas::{Canvas, Hold, WIDTH, cut, width};
use super::{Search, importance};

const ROW: f64 = 24.0;
/// How many parameters are shown at most.
const MOST: usize = 20;

pub(super) fn draw(search: &Search, canvas: &mut Canvas) {
    let shares = importance(search);
    let shown = &shares[..shares.len().min(MOST)];
    let top = canvas.take(52.0 + ROW * shown.len() as f64, WIDTH);
    canvas.text(20.0, top + 16.0, "t", Hold::Start, "Importance");
    canvas.text(118.0, top + 16.0, "m", Hold::Start, "share of each parameter in the variance of the score");
    let names = shown.iter().map(|(name, _)| cut(name, 220.0)).collect::<Vec<_>>();
    let left = names.iter().map(|name| width(name)).fold(60.0, f64::max) + 32.0;
    let (room, most) = (WIDTH - left - 70.0, shown.first().map_or(1.0, |first| first.1.max(1e-9)));
    for (i, (name, (_, share))) in names.iter().zip(shown).enumerate() {
        let y = top + 30.0 + ROW * i as f64;
        canvas.text(left - 10.0, y + 13.0, "", Hold::End, name);
        canvas.bar("f", [left, y + 2.0, room, ROW - 8.0]);
        canvas.bar("r", [left, y + 2.0, room * share / most, ROW - 8.0]);
        let percent = 100.0 * share;
        let label = if percent > 0.0 && percent < 1.0 { "< 1 %".to_owned() } else { format!("{percent:.0} %") };
        canvas.text(left + room + 8.0, y + 13.0, "m", Hold::Start, &label);
    }
}
