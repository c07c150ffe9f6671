"""Captions, questions and statements in many languages, from small tables of words.

Phrases are lists of things ("red circle, blue square") so that they need no agreement of gender or case; words are in
their dictionary form. The languages are those of Crossmodal-3600, named as there.
"""

from __future__ import annotations

from collections.abc import Sequence

from evalsuite.data.synthetic.world import SceneObject

COLOURS = ("red", "green", "blue", "yellow", "black")
SHAPES = ("circle", "square", "triangle", "star")

# language: five colours; four shapes; "and"; "picture"; whether the colour follows the shape
_WORDS: dict[str, tuple[str, str, str, str, bool]] = {
    "ar": ("أحمر أخضر أزرق أصفر أسود", "دائرة مربع مثلث نجمة", "و", "صورة", True),
    "bn": ("লাল সবুজ নীল হলুদ কালো", "বৃত্ত বর্গক্ষেত্র ত্রিভুজ তারা", "এবং", "ছবি", False),
    "cs": ("červená zelená modrá žlutá černá", "kruh čtverec trojúhelník hvězda", "a", "obrázek", False),
    "da": ("rød grøn blå gul sort", "cirkel firkant trekant stjerne", "og", "billede", False),
    "de": ("rot grün blau gelb schwarz", "Kreis Quadrat Dreieck Stern", "und", "Bild", False),
    "el": ("κόκκινο πράσινο μπλε κίτρινο μαύρο", "κύκλος τετράγωνο τρίγωνο αστέρι", "και", "εικόνα", False),
    "en": ("red green blue yellow black", "circle square triangle star", "and", "picture", False),
    "es": ("rojo verde azul amarillo negro", "círculo cuadrado triángulo estrella", "y", "imagen", True),
    "fa": ("قرمز سبز آبی زرد سیاه", "دایره مربع مثلث ستاره", "و", "تصویر", True),
    "fi": ("punainen vihreä sininen keltainen musta", "ympyrä neliö kolmio tähti", "ja", "kuva", False),
    "fil": ("pula berde asul dilaw itim", "bilog parisukat tatsulok bituin", "at", "larawan", False),
    "fr": ("rouge vert bleu jaune noir", "cercle carré triangle étoile", "et", "image", True),
    "he": ("אדום ירוק כחול צהוב שחור", "עיגול ריבוע משולש כוכב", "וגם", "תמונה", True),
    "hi": ("लाल हरा नीला पीला काला", "वृत्त वर्ग त्रिभुज तारा", "और", "चित्र", False),
    "hr": ("crvena zelena plava žuta crna", "krug kvadrat trokut zvijezda", "i", "slika", False),
    "hu": ("piros zöld kék sárga fekete", "kör négyzet háromszög csillag", "és", "kép", False),
    "id": ("merah hijau biru kuning hitam", "lingkaran persegi segitiga bintang", "dan", "gambar", True),
    "it": ("rosso verde blu giallo nero", "cerchio quadrato triangolo stella", "e", "immagine", True),
    "ja": ("赤 緑 青 黄 黒", "円 四角 三角 星", "と", "画像", False),
    "ko": ("빨간색 초록색 파란색 노란색 검은색", "원 사각형 삼각형 별", "그리고", "그림", False),
    "mi": ("whero kākāriki kahurangi kōwhai pango", "porohita tapawhā tapatoru whetū", "me", "pikitia", True),
    "nl": ("rood groen blauw geel zwart", "cirkel vierkant driehoek ster", "en", "afbeelding", False),
    "no": ("rød grønn blå gul svart", "sirkel firkant trekant stjerne", "og", "bilde", False),
    "pl": ("czerwony zielony niebieski żółty czarny", "koło kwadrat trójkąt gwiazda", "i", "obraz", False),
    "pt": ("vermelho verde azul amarelo preto", "círculo quadrado triângulo estrela", "e", "imagem", True),
    "quz": ("puka qomer anqas q'ello yana", "muyu tawak'uchu kinsak'uchu ch'aska", "hinallataq", "siq'i", False),
    "ro": ("roșu verde albastru galben negru", "cerc pătrat triunghi stea", "și", "imagine", True),
    "ru": ("красный зелёный синий жёлтый чёрный", "круг квадрат треугольник звезда", "и", "картинка", False),
    "sv": ("röd grön blå gul svart", "cirkel fyrkant triangel stjärna", "och", "bild", False),
    "sw": ("nyekundu kijani buluu njano nyeusi", "duara mraba pembetatu nyota", "na", "picha", True),
    "te": ("ఎరుపు ఆకుపచ్చ నీలం పసుపు నలుపు", "వృత్తం చతురస్రం త్రిభుజం నక్షత్రం", "మరియు", "చిత్రం", False),
    "th": ("สีแดง สีเขียว สีน้ำเงิน สีเหลือง สีดำ", "วงกลม สี่เหลี่ยม สามเหลี่ยม ดาว", "และ", "ภาพ", True),
    "tr": ("kırmızı yeşil mavi sarı siyah", "daire kare üçgen yıldız", "ve", "resim", False),
    "uk": ("червоний зелений синій жовтий чорний", "коло квадрат трикутник зірка", "і", "малюнок", False),
    "vi": ("đỏ lục lam vàng đen", "hình_tròn hình_vuông hình_tam_giác ngôi_sao", "và", "bức tranh", True),
    "zh": ("红色 绿色 蓝色 黄色 黑色", "圆形 正方形 三角形 星形", "和", "图片", False),
}
LANGUAGES = tuple(_WORDS)

# How a question about the colour of a single shape is put; answers are English in xGQA.
_COLOUR_QUESTIONS = {
    "bn": "{shape}টির রং কী?",
    "de": "Welche Farbe hat das Objekt: {shape}?",
    "en": "What color is the {shape}?",
    "id": "Apa warna {shape} itu?",
    "ko": "{shape}의 색은 무엇입니까?",
    "pt": "Qual é a cor do objeto: {shape}?",
    "ru": "Какого цвета {shape}?",
    "zh": "{shape}是什么颜色的?",
}
# What is claimed about two pictures, and is true or not.
_PAIR_STATEMENTS = {
    "id": "Ada {thing} di kedua gambar.",
    "sw": "Kuna {thing} katika picha zote mbili.",
    "ta": "இரண்டு படங்களிலும் {thing} உள்ளது.",
    "tr": "Her iki resimde de {thing} var.",
    "zh": "两张图片中都有{thing}。",
}
_TAMIL = ("சிவப்பு பச்சை நீலம் மஞ்சள் கருப்பு", "வட்டம் சதுரம் முக்கோணம் நட்சத்திரம்")


def thing(language: str, item: SceneObject) -> str:
    """Colour and shape of an object whose words are among COLOURS and SHAPES.

    >>> from evalsuite.data.synthetic.world import SceneObject
    >>> thing("es", SceneObject("star", "red", "small", (0, 0, 1, 1)))
    'estrella rojo'
    """
    colours, shapes, follows = _tables(language)
    colour, shape = colours[COLOURS.index(item.colour)], shapes[SHAPES.index(item.shape)]
    words = (shape, colour) if follows else (colour, shape)
    return "".join(words) if language == "zh" else " ".join(words)


def captions(language: str, items: Sequence[SceneObject]) -> list[str]:
    """Two captions that name all things, in the given order and the other way round."""
    joiner, picture = _WORDS[language][2:4]
    named = [thing(language, item) for item in items]
    return [_listed(named, joiner), f"{picture}: {_listed(named[::-1], joiner)}"]


def colour_question(language: str, shape: str) -> str:
    """A question about the colour of the only thing of that shape, in a language of xGQA."""
    return _COLOUR_QUESTIONS[language].format(shape=_tables(language)[1][SHAPES.index(shape)])


def pair_statement(language: str, item: SceneObject) -> str:
    """The claim that both pictures show such a thing, in a language of MaRVL."""
    return _PAIR_STATEMENTS[language].format(thing=thing(language, item))


def _tables(language: str) -> tuple[list[str], list[str], bool]:
    if language == "ta":
        colours, shapes, follows = *_TAMIL, False
    else:
        colours, shapes, _, _, follows = _WORDS[language]
    return colours.split(), [word.replace("_", " ") for word in shapes.split()], follows


def _listed(named: Sequence[str], joiner: str) -> str:
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} {joiner} {named[-1]}"
