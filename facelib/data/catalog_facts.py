"""What is known of each data set: the rows of the catalogue, in the order in which it shows them.

A new set is one more row here, in order of its name among those of its kind. What no source states is None. The table
in the book's page on data is compared with these rows by a test. What is done with them is in ``catalog``.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Facts:
    """One data set, as its sources have it.

    Attributes
    ----------
    kind : "training", "evaluation" or "synthetic"
    people : int, or None where no source states it
    pictures : int, or None where no source states it
    pairs : int, or None where it has none
    state : a key of ``catalog.STATES``
    since : year in which it went offline or was withdrawn, None if not stated
    layout : what it is on disk, in words
    files : paths of that form, below the folder of the data set
    root : what ``reader`` opens, one of the paths or a folder above some
    reader : function of ``facelib.data``, empty if none reads this form
    prepare : commands and lines of Python, from the files to what training or evaluation takes
    parents : names of the sets whose pictures it holds
    citation : key in the book's bibliography, or empty
    source : where the facts stand
    rounded : which of people and pictures the paper states in round numbers
    """

    name: str
    kind: str
    people: int | None
    pictures: int | None
    state: str
    origin: str
    terms: str
    layout: str
    files: tuple[str, ...]
    root: str
    source: str
    reader: str = ""
    prepare: tuple[str, ...] = ()
    pairs: int | None = None
    since: int | None = None
    parents: tuple[str, ...] = ()
    citation: str = ""
    note: str = ""
    rounded: tuple[str, ...] = ()


_PACK = "facelib pack {0} packed/{1} --verify"
_ALIGNED = "facelib list {0}_align --out data/train.txt --val data/val.txt"
_RECORDS = "a record file of MXNet with aligned crops of 112 x 112, and its index"
_PAIRS = "a pickle of 2 lists: encoded crops of 112 x 112, and an answer for each pair"
_DATASETS = "https://github.com/deepinsight/insightface/tree/master/recognition/_datasets_"
_CONFIGS = "https://github.com/deepinsight/insightface/tree/master/recognition/arcface_torch/configs"
_SYNTH = "rendered on your machine from shapes of the MakeHuman project; none of them exists"

FACTS = (
    Facts(
        "CASIA-WebFace", "training", 10_575, 494_414, "request",
        "photos of actors from a film site, whose page told who is in them",
        "research only",
        "a folder with a folder of photos for each person",
        ("CASIA-WebFace/0000045/001.jpg", "CASIA-WebFace/0000045/002.jpg"), "CASIA-WebFace",
        "https://arxiv.org/abs/1411.7923", "open_source",
        ("facelib align CASIA-WebFace CASIA-WebFace_align", _ALIGNED.format("CASIA-WebFace")),
        citation="yi2014casia",
        note="aligned crops are also passed around as train.rec, with some pictures fewer",
    ),
    Facts(
        "Glint360K", "training", 360_232, 17_091_657, "terms",
        "merged from earlier sets, MS-Celeb-1M among them, and cleaned",
        "non-commercial research only",
        _RECORDS, ("glint360k/train.rec", "glint360k/train.idx"), "glint360k",
        "https://github.com/deepinsight/insightface/tree/master/recognition/partial_fc", "open_source",
        (_PACK.format("glint360k/train.rec", "glint360k"),),
        parents=("MS-Celeb-1M",), citation="an2021glint",
    ),
    Facts(
        "MS-Celeb-1M", "training", 100_000, 10_000_000, "withdrawn",
        "web search for a list of well-known names, private persons among them; nobody was asked",
        "was non-commercial research; its makers give no rights any more",
        "tables of text with the pictures in base64 in a column", ("MsCelebV1-Faces-Aligned.tsv",), "",
        "https://exposing.ai/datasets/msceleb", since=2019, citation="guo2016msceleb", rounded=("people", "pictures"),
        note="withdrawn by Microsoft in June 2019. Copies go on circulating; facelib has no reader for them",
    ),
    Facts(
        "MS1MV2", "training", 85_742, 5_822_653, "derived",
        "MS-Celeb-1M, cleaned by the authors of ArcFace",
        "non-commercial research, as far as others than the owners of the photos can say",
        _RECORDS, ("faces_emore/train.rec", "faces_emore/train.idx"), "faces_emore", _CONFIGS, "open_source",
        (_PACK.format("faces_emore/train.rec", "ms1mv2"),),
        parents=("MS-Celeb-1M",), citation="deng2019arcface",
    ),
    Facts(
        "MS1MV3", "training", 93_431, 5_179_510, "derived",
        "MS-Celeb-1M, cleaned anew and aligned with RetinaFace",
        "non-commercial research, as far as others than the owners of the photos can say",
        _RECORDS, ("ms1m-retinaface-t1/train.rec", "ms1m-retinaface-t1/train.idx"), "ms1m-retinaface-t1", _CONFIGS,
        "open_source", (_PACK.format("ms1m-retinaface-t1/train.rec", "ms1mv3"),),
        parents=("MS-Celeb-1M",),
    ),
    Facts(
        "VGGFace2", "training", 9_131, 3_310_000, "offline",
        "image search for public figures: actors, athletes, politicians",
        "the rights to the photos stay with their owners; a mirror cannot grant them",
        "two folders, train (8,631 people) and test (500 others), with a folder of photos for each person",
        ("VGGFace2/train/n000002/0001_01.jpg", "VGGFace2/train/n000002/0002_01.jpg",
         "VGGFace2/test/n000001/0001_01.jpg"),
        "VGGFace2/train", "https://github.com/ox-vgg/vgg_face2/issues/50", "open_source",
        ("facelib align VGGFace2/train VGGFace2/train_align", _ALIGNED.format("VGGFace2/train"),
         "facelib pack data/train.txt packed/train --root VGGFace2/train_align"),
        since=2020, citation="cao2018vggface2", rounded=("pictures",),
    ),
    Facts(
        "WebFace260M", "training", 4_008_130, 260_890_076, "request",
        "web search for a list of four million names, not cleaned; WebFace42M and WebFace4M are its cleaned parts",
        "academic research only, against a signed agreement; must not be passed on",
        "a folder with a folder of crops for each person", ("WebFace260M/0_0_0000000/0_0.jpg",), "WebFace260M",
        "https://www.face-benchmark.org/download.html", "open_source", citation="zhu2021webface",
        prepare=(_PACK.format("WebFace260M", "webface260m"),),
    ),
    Facts(
        "WebFace4M", "training", 205_990, 4_235_242, "request",
        "a tenth of WebFace42M, the part of WebFace260M that was cleaned",
        "academic research only, against a signed agreement; must not be passed on",
        "a folder with a folder of aligned crops for each person", ("WebFace4M/0_0_0000000/0_0.jpg",), "WebFace4M",
        _CONFIGS, "open_source", (_PACK.format("WebFace4M", "webface4m"),),
        parents=("WebFace260M",), citation="zhu2021webface",
    ),
    Facts(
        "AgeDB-30", "evaluation", 568, 16_488, "request",
        "photos of public figures, collected by hand, with the year of each",
        "research only",
        _PAIRS, ("agedb_30.bin",), "agedb_30.bin", _DATASETS, "read_bin",
        ('images, same = facelib.data.read_bin("agedb_30.bin")',),
        pairs=6_000, citation="moschoglou2017agedb",
        note="people and pictures are those of AgeDB. The pairs are 30 years apart. read_carray reads the bcolz form",
    ),
    Facts(
        "CFP-FP", "evaluation", 500, 7_000, "terms",
        "photos of public figures, ten from the front and four in profile of each",
        "research only",
        _PAIRS, ("cfp_fp.bin",), "cfp_fp.bin", _DATASETS, "read_bin",
        ('images, same = facelib.data.read_bin("cfp_fp.bin")',),
        pairs=7_000, citation="sengupta2016cfp",
        note="a frontal face against a profile in each pair. read_carray reads the bcolz form",
    ),
    Facts(
        "IJB-B", "evaluation", 1_845, 21_798, "withdrawn",
        "photos and videos under Creative Commons licences",
        "was by agreement with NIST",
        "pictures and video frames cut loosely around each face, with tables that gather them into templates",
        ("IJBB/loose_crop/1.jpg", "IJBB/meta/ijbb_face_tid_mid.txt", "IJBB/meta/ijbb_template_pair_label.txt"), "",
        "https://www.nist.gov/itl/iad/ig/face-challenges", since=2023,
        note="and 55,026 frames of 7,011 videos. NIST ended the distribution of IJB-A, B and C on 14 March 2023",
    ),
    Facts(
        "IJB-C", "evaluation", 3_531, 31_334, "withdrawn",
        "IJB-B with more people and more videos",
        "was by agreement with NIST",
        "pictures and video frames cut loosely around each face, with tables that gather them into templates",
        ("IJBC/loose_crop/1.jpg", "IJBC/meta/ijbc_face_tid_mid.txt", "IJBC/meta/ijbc_template_pair_label.txt"), "",
        "https://www.nist.gov/itl/iad/ig/face-challenges", since=2023, citation="maze2018ijbc",
        note="and 11,779 videos. NIST ended the distribution of IJB-A, B and C on 14 March 2023",
    ),
    Facts(
        "LFW", "evaluation", 5_749, 13_233, "offline",
        "press photos of public figures from the news",
        "research",
        "a folder with a folder of photos for each person, and lists of pairs by name",
        ("lfw/Ann_Smith/Ann_Smith_0001.jpg", "lfw/Bob_Jones/Bob_Jones_0001.jpg", "pairs.txt"), "pairs.txt",
        "https://scikit-learn.org/stable/modules/generated/sklearn.datasets.fetch_lfw_pairs.html", "read_lfw_pairs",
        ('pairs = facelib.data.read_lfw_pairs("pairs.txt")', "facelib align lfw lfw_align",
         'images, same = facelib.data.read_bin("lfw.bin")'),
        pairs=6_000, citation="huang2007lfw",
        note="scikit-learn's fetch_lfw_pairs() fetches a copy, whose lfw_home `facelib evaluate --lfw` takes. Aligned"
        " pairs are passed around as lfw.bin",
    ),
    Facts(
        "MegaFace", "evaluation", 690_000, 1_000_000, "withdrawn",
        "photos of Flickr's users under Creative Commons licences, who were not asked",
        "its makers give no rights any more",
        "a folder of photos, as distractors in a gallery", (), "", "https://megapixels.cc/megaface/",
        citation="kemelmacher2016megaface", rounded=("people", "pictures"),
        note="retired by its makers; the year is not stated",
    ),
    Facts(
        "RFW", "evaluation", 11_416, 44_332, "derived",
        "chosen from MS-Celeb-1M, in four groups named Caucasian, Asian, Indian and African",
        "research only, on request by mail",
        "a folder for each group, in it a folder of photos for each person, and lists of pairs",
        ("RFW/test/data/African/m.0example/m.0example_0001.jpg", "RFW/test/txts/African/African_pairs.txt"),
        "RFW/test/data/African", "https://arxiv.org/abs/1812.00194", "open_source",
        ("facelib align RFW/test/data RFW/test/data_align",),
        pairs=24_000, parents=("MS-Celeb-1M",),
        note="open_source reads one group's folder; counts of people and pictures from bob.bio.face",
    ),
    Facts(
        "DigiFace-1M", "synthetic", 110_000, 1_220_000, "terms",
        "rendered by Microsoft; no real person in it",
        "non-commercial research",
        "folders from archives, with a folder of crops for each person",
        ("DigiFace-1M/0/0.png", "DigiFace-1M/0/1.png", "DigiFace-1M/1/0.png"), "DigiFace-1M",
        "https://github.com/microsoft/DigiFace1M", "open_source",
        ("facelib align DigiFace-1M DigiFace-1M_align", _ALIGNED.format("DigiFace-1M")),
        citation="bae2023digiface",
    ),
    *(
        Facts(
            f"synth:{preset}", "synthetic", people, people * shots, "free", _SYNTH, "CC0",
            "a folder with a folder of aligned crops for each person, and a list file",
            ("people/n000000/0000_01.jpg", "people/n000000/0001_01.jpg", "people.txt"), "people",
            "facelib/synth/README.md", "open_source",
            (f"facelib synth export people --preset {preset}",),
            note="people to train on; validation and test have others. `facelib train` takes the name as it is",
        )
        for preset, people, shots in (("tiny", 40, 8), ("mini", 200, 16), ("standard", 1_000, 24))
    ),
)  # fmt: skip
