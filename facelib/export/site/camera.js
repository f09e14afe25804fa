// The camera: asked for only after a click, stopped as soon as a picture is taken.

/** Whether this browser has a camera to ask for; it has none on pages served without https. */
export const available = Boolean(navigator.mediaDevices?.getUserMedia);

/**
 * Show the camera in a video element.
 * @param {HTMLVideoElement} video
 * @returns {Promise<() => void>} stops the camera
 * @throws {Error} with what to tell the reader
 */
export async function open(video) {
  if (!available) throw new Error("no camera here: browsers give it to pages served over https or from your own computer");
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user" }, audio: false });
  } catch (error) {
    const denied = error.name === "NotAllowedError";
    throw new Error(denied ? "the browser was not allowed to use the camera" : `no camera to be had (${error.name})`);
  }
  video.srcObject = stream;
  await video.play();
  return () => {
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
  };
}
