module Cssa {

  @ What became of a call of libcssa: CssaStatus of cssa.h.
  enum Status : I32 {
    OK = 0
    ARGUMENT = 1
    FILE = 2
    BUNDLE = 3
    RUNTIME = 4
    IMAGE = 5
    MODEL = 6
    PACKET = 7
    BUFFER = 8
    UNKNOWN = 9
    FAULT = 10
  }

  @ Whether an image is outside of what the model knows, and why: CssaOutside of cssa.h.
  enum Outside : I32 {
    UNKNOWN = -1
    NO = 0
    UNFAMILIAR = 1
    BLANK = 2
    DARK = 3
    OVEREXPOSED = 4
    DEFOCUSED = 5
    SMEARED = 6
    NOISY = 7
    FOGGY = 8
  }

  @ Captions image files. It works in its own thread: loading takes a second or so, a caption a tenth of one or more.
  active component Captioner {

    # ----------------------------------------------------------------------
    # Commands
    # ----------------------------------------------------------------------

    @ Loads a bundle. One that is loaded stays where the new one does not load.
    async command LOAD(
        bundle: string size 160 @< A folder or a .cssa file
      ) opcode 0

    @ Captions an image and sends its packet down
    async command CAPTION(
        image: string size 160 @< A JPEG, PNG or TIFF
      ) opcode 1

    @ Ends the model and frees its memory
    async command UNLOAD opcode 2

    # ----------------------------------------------------------------------
    # Events
    # ----------------------------------------------------------------------

    @ A bundle is loaded
    event Loaded(
        bundle: string size 80
        runtime: string size 40 @< What runs it
      ) severity activity high id 0 format "{} is loaded in {}"

    @ A bundle did not load
    event NotLoaded(
        status: Cssa.Status
        reason: string size 160
      ) severity warning high id 1 format "no bundle is loaded: {}: {}"

    @ An image is captioned
    event Captioned(
        number: U32 @< The caption's number in its packet
        thousandths: U16 @< Probability that it names nothing that is not there
        words: string size 160
      ) severity activity high id 2 format "caption {}, {} of 1000 sure: {}"

    @ An image is captioned by a bundle that cannot tell how sure that is
    event CaptionedUnsure(
        number: U32 @< The caption's number in its packet
        words: string size 160
      ) severity activity high id 3 format "caption {}, nobody knows how sure: {}"

    @ An image is outside of what the model knows: the words are not to be believed
    event CaptionedOutside(
        number: U32 @< The caption's number in its packet
        reason: Cssa.Outside
        words: string size 160
      ) severity warning low id 4 format "caption {} of an image that is {}: {}"

    @ An image is not captioned
    event NotCaptioned(
        status: Cssa.Status
        reason: string size 160
      ) severity warning high id 5 format "not captioned: {}: {}"

    @ A caption is not sent: it has no packet
    event NotPacked(
        status: Cssa.Status
        reason: string size 160
      ) severity warning high id 6 format "not sent: {}: {}"

    @ There is no model to caption with
    event NothingLoaded severity warning low id 7 format "no bundle is loaded: LOAD one"

    @ The model is ended
    event Unloaded severity activity high id 8 format "the bundle is unloaded"

    # ----------------------------------------------------------------------
    # Telemetry
    # ----------------------------------------------------------------------

    @ Whether a bundle is loaded
    telemetry IsLoaded: bool id 0 update on change

    @ Captions made
    telemetry Captions: U32 id 1

    @ Images that were not captioned
    telemetry Failures: U32 id 2

    @ Thousandths of the last caption that has a confidence
    telemetry Confidence: U16 id 3

    @ Whether the last image was outside of what the model knows
    telemetry LastOutside: Cssa.Outside id 4

    @ Milliseconds that the model took for the last caption
    telemetry Milliseconds: F32 id 5

    # ----------------------------------------------------------------------
    # Ports
    # ----------------------------------------------------------------------

    @ Packets of captions, as `ground` reads them
    output port packetOut: Fw.Com

    command recv port cmdIn

    command reg port cmdRegOut

    command resp port cmdResponseOut

    event port eventOut

    text event port textEventOut

    telemetry port tlmOut

    time get port timeGetOut

  }

}
