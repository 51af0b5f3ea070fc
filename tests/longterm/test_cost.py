"""What a text is taken to cost, beside what a tokenizer counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_agentmem.longterm.cost import count_tokens
from langchain_agentmem.longterm.embeddings import OfflineEmbeddings

TEXTS = {
    "english": "Anna lives in Berlin and likes spicy food, but she is allergic to nuts. The meeting was moved to May.",
    "german": "Ich wohne in München und esse gern süße Brötchen mit Käse. Ihre Tochter übt täglich Klavier.",
    "vietnamese": "Tôi sống ở Hà Nội và rất thích ăn phở bò vào buổi sáng. Con gái cô ấy năm nay bắt đầu học tiểu học.",
    "greek": "Μένω στην Αθήνα και μου αρέσει πολύ το ψάρι, ενώ της κόρης της αρέσει το σχολείο.",
    "russian": "Я живу в Москве и люблю борщ. Её дочь в сентябре пошла в первый класс и занимается музыкой.",
    "ukrainian": "Я мешкаю в Києві та люблю вареники з вишнями. Її донька пішла до школи й займається танцями.",
    "arabic": "أعيش في القاهرة وأحب الطعام الحار كثيرا. بدأت ابنتها المدرسة الابتدائية هذا العام وهي تتعلم البيانو.",
    "hebrew": "אני גר בתל אביב ואוהב לאכול חומוס. הבת שלה התחילה השנה ללמוד בבית הספר היסודי.",
    "hindi": "मैं दिल्ली में रहता हूँ और मुझे मसालेदार खाना पसंद है। उसकी बेटी ने इस साल स्कूल जाना शुरू किया।",
    "thai": "ฉันอาศัยอยู่ในกรุงเทพและชอบกินอาหารเผ็ด ลูกสาวของเธอเริ่มเรียนชั้นประถมในปีนี้",
    "chinese": "我住在北京。她的女儿今年九月开始上小学。她喜欢吃川菜。他对花生过敏。公司计划在第三季度迁移数据库。",
    "japanese": "私は東京に住み、寿司とラーメンが大好きです。彼女の誕生日は五月三日で、娘はピアノを習っています。",
    "korean": "저는 서울에 살고 김치찌개를 좋아합니다. 그녀의 딸은 올해 초등학교에 입학했습니다. 회의는 수요일입니다.",
}


@pytest.mark.parametrize("script", TEXTS)
def test_no_script_takes_much_more_than_is_counted(script: str) -> None:
    text = TEXTS[script]
    tokenizer = OfflineEmbeddings()._model.tokenizer
    truth = len(tokenizer.encode(text, add_special_tokens=False).ids)
    assert 0.9 * truth <= count_tokens(text) <= 1.4 * truth


@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_is_a_token_for_four_characters(text: str) -> None:
    assert count_tokens(text) == -(-len(text) // 4)


@given(st.text(st.characters(exclude_categories=())), st.text(st.characters(exclude_categories=())))
def test_any_text_is_counted_and_more_costs_more(text: str, more: str) -> None:
    together, apart = count_tokens(text + more), count_tokens(text) + count_tokens(more)
    assert max(count_tokens(text), count_tokens(more)) <= together <= apart
    assert count_tokens(text) >= -(-len(text) // 4)
