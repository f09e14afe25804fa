// The formulas of the boundary laboratory: plain numbers in, plain numbers out, angles in radians.
// tests/laboratory/test_formulas.py holds every function against facelib.margins at random points.
//
// `margin` is {m1, m2, m3, beyond}: the target's cosine becomes cos(phi) - m3 with phi = m1 theta + m2 (ArcFace,
// equation 4). `beyond` names the rule for phi > pi; names and rules are those of facelib.margins.

export const PI = Math.PI;

const clamp = (x, low, high) => Math.min(Math.max(x, low), high);
const arccos = (x) => Math.acos(clamp(x, -1, 1));

// cos(phi), or what stands in for it, and its slope along theta.
export const BEYOND = {
  linear: {
    cosine(theta, phi) {
      const d = phi - theta;
      return phi <= PI ? Math.cos(phi) : Math.cos(theta) - d * Math.sin(d);
    },
    slope(theta, phi, m1) {
      const d = phi - theta;
      if (phi <= PI) return -m1 * Math.sin(phi);
      return -Math.sin(theta) - (m1 - 1) * (Math.sin(d) + d * Math.cos(d));
    },
  },
  fold: {
    cosine(theta, phi) {
      const k = Math.floor(phi / PI);
      return (-1) ** k * Math.cos(phi) - 2 * k;
    },
    slope: (theta, phi, m1) => -m1 * (-1) ** Math.floor(phi / PI) * Math.sin(phi),
  },
  clamp: {
    cosine: (theta, phi) => Math.cos(Math.min(phi, PI)),
    slope: (theta, phi, m1) => (phi <= PI ? -m1 * Math.sin(phi) : 0),
  },
  easy: {
    cosine: (theta, phi) => Math.cos(theta < PI / 2 ? phi : theta),
    slope: (theta, phi, m1) => (theta < PI / 2 ? -m1 * Math.sin(phi) : -Math.sin(theta)),
  },
  none: {
    cosine: (theta, phi) => Math.cos(phi),
    slope: (theta, phi, m1) => -m1 * Math.sin(phi),
  },
};

// The target's cosine after the margin.
export function targetCosine(theta, { m1, m2, m3, beyond }) {
  return BEYOND[beyond].cosine(theta, m1 * theta + m2) - m3;
}

// d targetCosine / d theta.
export function targetSlope(theta, { m1, m2, beyond }) {
  return BEYOND[beyond].slope(theta, m1 * theta + m2, m1);
}

// The angle from which the rule `beyond` is at work, or pi when that never happens.
export function bendAngle({ m1, m2, beyond }) {
  if (m1 === 1 && m2 === 0) return PI;
  return beyond === "easy" ? PI / 2 : clamp((PI - m2) / m1, 0, PI);
}

// s times the target's cosine after the margin.
export const targetLogit = (theta, margin, s) => s * targetCosine(theta, margin);

// d target logit / d cosine. "detached" takes the shift of the margin for a constant: what is left is s.
export function logitSlope(theta, margin, s, gradient) {
  return gradient === "detached" ? s : (-s * targetSlope(theta, margin)) / Math.sin(theta);
}

// d target logit / d theta; finite where logitSlope is not (theta = 0).
export function logitSlopeOfAngle(theta, margin, s, gradient) {
  return s * (gradient === "detached" ? -Math.sin(theta) : targetSlope(theta, margin));
}

// Two classes, target class 1 with logit a, the other with logit b.
export function softmax(a, b) {
  const x = a - b;
  const probability = 1 / (1 + Math.exp(-x)); // exp overflows to Infinity, and 1 / Infinity is the right 0
  const loss = x > 0 ? Math.log1p(Math.exp(-x)) : -x + Math.log1p(Math.exp(x));
  const rest = 1 / (1 + Math.exp(x)); // 1 - probability, without the cancellation
  return { probability, loss, rest };
}

// Everything about an embedding at theta1 from its own centre and theta2 from the other.
export function evaluate(theta1, theta2, margin, s, gradient) {
  const cosine = targetCosine(theta1, margin);
  const logit = s * cosine;
  const other = s * Math.cos(theta2);
  const { probability, loss, rest } = softmax(logit, other);
  return {
    cosine,
    logit,
    other,
    probability,
    loss,
    slope: logitSlope(theta1, margin, s, gradient),
    pull: -rest * logitSlopeOfAngle(theta1, margin, s, gradient), // d loss / d theta1
  };
}

// Which classes an embedding satisfies, each with its own margin: 1, 2, 3 = both, 0 = none (the margin band).
export function region(theta1, theta2, margin) {
  const one = targetCosine(theta1, margin) > Math.cos(theta2);
  const two = targetCosine(theta2, margin) > Math.cos(theta1);
  return (one ? 1 : 0) + (two ? 2 : 0);
}

// The boundary of class 1: theta2 at which an embedding at theta1 just meets the margin; null where none does.
export function boundary(theta1, margin) {
  const cosine = targetCosine(theta1, margin);
  return cosine < -1 || cosine > 1 ? null : Math.acos(cosine);
}

// On the short arc between centres `between` apart: theta1 of the boundary of class 1, negative if it has passed
// the centre itself (then not even a perfect embedding meets the margin).
export function boundaryOnArc(between, margin) {
  const gap = (theta) => targetCosine(theta, margin) - Math.cos(between - theta);
  if (gap(0) <= 0) return -1;
  let low = 0;
  let high = between;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (gap(middle) > 0) low = middle;
    else high = middle;
  }
  return low;
}

// The probe is a unit vector: `direction` is its angle from the middle of the two centres, towards centre 1, in their
// plane, and `tilt` the angle by which it leaves that plane.
export function anglesOf(direction, tilt, between) {
  const to = (centre) => arccos(Math.cos(tilt) * Math.cos(direction - centre));
  return [to(between / 2), to(-between / 2)];
}

// The way back: the shadow (x towards the middle, y towards centre 1) of the vector with these two cosines on the plane
// of the centres. A shadow longer than 1 belongs to no unit vector.
export function shadowOf(cosine1, cosine2, between) {
  return [(cosine1 + cosine2) / (2 * Math.cos(between / 2)), (cosine1 - cosine2) / (2 * Math.sin(between / 2))];
}

// The probe whose shadow is (x, y), or the nearest on the rim.
export function probeOf(x, y) {
  const length = Math.hypot(x, y);
  return { direction: length > 0 ? Math.atan2(y, x) : 0, tilt: length >= 1 ? 0 : Math.acos(length) };
}

// The pair of angles nearest to (theta1, theta2) that a unit vector can have. In the plane of the two angles these
// pairs fill a rectangle that stands on its corner.
export function reachable(theta1, theta2, between) {
  const sum = clamp(theta1 + theta2, between, 2 * PI - between);
  const difference = clamp(theta1 - theta2, -between, between);
  return [(sum + difference) / 2, (sum - difference) / 2];
}
